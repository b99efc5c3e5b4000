//! What a primitive is doing at this moment, for people.

use std::fmt;

use crate::member::{Member, MemberId, Members};

/// One that has something, and whether it still lives.
///
/// ```
/// # let members = ndshm_testkit::members!();
/// let total = members.layout().mutex(0_u64)?;
/// let _guard = total.lock()?;
/// let holder = total.inspect().holders[0];
/// assert_eq!((holder.member.id, holder.alive), (members.me(), true));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Holder {
    /// Who it is.
    pub member: Member,
    /// Whether its process lives.
    pub alive: bool,
}

impl Holder {
    pub(crate) fn of(id: MemberId, members: &Members<'_>) -> Self {
        Self { member: members.describe(id), alive: members.is_alive(id) }
    }
}

/// What a primitive was doing when it was asked: who has it, whether anybody sleeps, what is wrong.
/// A picture for people and error texts, out of date at once; `{}` prints it in one line.
///
/// ```
/// # let members = ndshm_testkit::members!();
/// let total = members.layout().mutex(0_u64)?;
/// assert_eq!(total.inspect().to_string(), "mutex: free");
/// let guard = total.lock()?;
/// let held = format!("mutex: held by pid {}", std::process::id());
/// assert_eq!(total.inspect().to_string(), held);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Inspection {
    /// What it is: `mutex`, `barrier`.
    pub kind: &'static str,
    /// How it is: `free`, `held`, `2 of 4 permits free`.
    pub state: String,
    /// Who has it, a part of it, or is expected.
    pub holders: Vec<Holder>,
    /// Whether anybody sleeps, or slept and has not been missed yet.
    pub sleepers: bool,
    /// Who died or panicked with it, where nobody has cleared that.
    pub poisoned_by: Option<Member>,
}

/// `{:?}` of a handle says what it is doing: `<mutex: free>`.
macro_rules! debug_as_inspected {
    ([$($generics:tt)*] $handle:ty) => {
        impl<$($generics)*> std::fmt::Debug for $handle {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "<{}>", self.inspect())
            }
        }
    };
}
pub(crate) use debug_as_inspected;

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.state)?;
        for (i, Holder { member, alive }) in self.holders.iter().enumerate() {
            let lead = if i == 0 { " by" } else { "," };
            let dead = if *alive { "" } else { " (dead)" };
            write!(f, "{lead} {member}{dead}")?;
        }
        if let Some(who) = self.poisoned_by {
            write!(f, "; poisoned by {who}")?;
        }
        if self.sleepers {
            write!(f, "; others may sleep")?;
        }
        Ok(())
    }
}
