//! `ndshm man`: one page, with a section for each subcommand.

use clap::CommandFactory;
use clap_mangen::Man;

use crate::cli::Cli;
use crate::outcome::{Outcome, Verdict};
use crate::output::print_bytes;

pub(crate) fn run() -> Outcome {
    let mut command = Cli::command();
    command.build();
    let mut page = Vec::new();
    let man = Man::new(command.clone());
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    for subcommand in command.get_subcommands().filter(|s| !s.is_hide_set()) {
        let man = Man::new(subcommand.clone());
        let mut section = Vec::new();
        man.render_synopsis_section(&mut section)?;
        man.render_description_section(&mut section)?;
        man.render_options_section(&mut section)?;
        let section = String::from_utf8_lossy(&section);
        let title = format!("\n.SH \"ndshm {}\"\n", subcommand.get_name());
        page.extend(title.into_bytes());
        // Its own sections become parts of this one.
        page.extend(section.replace("\n.SH ", "\n.SS ").replacen(".SH ", ".SS ", 1).into_bytes());
    }
    man.render_extra_section(&mut page)?;
    print_bytes(&page)?;
    Ok(Verdict::Fine)
}
