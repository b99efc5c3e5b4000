//! `ndshm load`.

use ndshm_array::inspect;
use ndshm_array::npy::NpyFile;
use ndshm_buffer::{OpenError, Prefault};

use crate::bar;
use crate::cli::{Common, Load};
use crate::model::Segment;
use crate::outcome::{Failure, Outcome, Verdict};
use crate::output::{print, print_json};
use crate::size::human;
use crate::target::options;

pub(crate) fn run(common: &Common, given: &Load) -> Outcome {
    let mut file = NpyFile::open(&given.file)?;
    let options = options(common.dir.as_deref());
    if given.force {
        match options.info(&given.name) {
            Ok(there) if there.is_in_use() => {
                return Err(Failure::new(format_args!(
                    "{}: is in use, and is not replaced; end who has it (`ndshm info {}`), or choose another name",
                    there.path().display(),
                    given.name
                )));
            }
            Ok(_) => options.remove(&given.name)?,
            Err(OpenError::NotFound { .. }) => {}
            Err(e) => return Err(e.into()),
        }
    }
    let bytes = file.len() as u64 * file.dtype().size() as u64;
    let bar = bar::bytes(bytes, given.name.clone(), common.json);
    let prefault = if given.huge { Prefault::huge() } else { Prefault::none() };
    let keep = options.clone().persist(true).prefault(prefault);
    inspect::load(&mut file, &given.name, &keep, |done| bar.set_position(done))?;
    bar.finish_and_clear();

    let made = Segment::of_segment(&options.info(&given.name)?);
    if common.json {
        print_json(&made)?;
    } else {
        let dtype = made.dtype.as_deref().unwrap_or_default();
        print(&format!(
            "loaded {}: {} of {dtype}, {}; it stays until `ndshm rm {}`\n",
            made.path.display(),
            made.shape_text(),
            human(bytes),
            given.name
        ))?;
    }
    Ok(Verdict::Fine)
}
