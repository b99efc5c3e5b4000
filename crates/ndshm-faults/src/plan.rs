//! Which faults there are, and how many rounds each gets.

use crate::options::Options;
use crate::scene::{Act, Primitive, Scene};

/// One act on one scene of a primitive.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    pub(crate) primitive: Primitive,
    pub(crate) scene: &'static Scene,
    pub(crate) act: Act,
    pub(crate) rounds: u64,
}

/// Rounds of an act, in comparison: what is slow gets fewer.
const fn weight(act: Act) -> u64 {
    match act {
        Act::Kill => 200,
        Act::Step => 100,
        Act::Storm | Act::Namespaces | Act::Recycled | Act::Forks | Act::Orphaned => 20,
        Act::Stop | Act::OrphanedInWait => 2,
    }
}

/// The faults that are wanted.
///
/// # Errors
///
/// What is wrong with the options.
pub(crate) fn faults(options: &Options, all: &[Primitive]) -> Result<Vec<Fault>, String> {
    let names = || all.iter().map(|p| p.name).collect::<Vec<_>>().join(", ");
    if let Some(unknown) = options.only.iter().find(|only| all.iter().all(|p| p.name != **only)) {
        return Err(format!("no primitive is called {unknown:?}; there are: {}", names()));
    }
    let wanted =
        |p: &&Primitive| options.only.is_empty() || options.only.iter().any(|only| only == p.name);
    let mut faults = Vec::new();
    for &primitive in all.iter().filter(wanted) {
        for scene in primitive.scenes {
            for &act in scene.acts {
                if options.act.as_ref().is_none_or(|text| act.name().contains(text.as_str())) {
                    faults.push(Fault { primitive, scene, act, rounds: 0 });
                }
            }
        }
    }
    if faults.is_empty() {
        return Err("no such act".to_owned());
    }
    let sum: u64 = faults.iter().map(|fault| weight(fault.act)).sum();
    for fault in &mut faults {
        fault.rounds = (options.rounds * weight(fault.act) / sum).max(2);
    }
    Ok(faults)
}
