//! Members of the modelled world: the production code's slots and its decision, the model's kernel.

#[path = "sync/member/id.rs"]
mod id;
#[path = "sync/member/slot.rs"]
mod slot;

use std::marker::PhantomData;
use std::rc::Rc;
use std::time::Duration;

use crate::atomic::AtomicU32;
use crate::wait;
use crate::world::World;
pub use id::{Member, MemberId};
use slot::Slot;

/// The table of members.
#[derive(Debug)]
pub(crate) struct Slots(Vec<Slot>);

impl Slots {
    pub(crate) fn new(many: usize) -> Self {
        Self((0..many).map(|_| Slot::default()).collect())
    }

    /// By one that wants the slot; `false` where its member lives.
    pub(crate) fn retire(&self, slot: usize, is_locked: impl FnOnce() -> bool) -> bool {
        self.0[slot].retire(|| Ok(is_locked())).expect("the model's kernel answers")
    }

    /// By one that holds the slot's byte; the new member.
    pub(crate) fn publish(&self, slot: usize) -> MemberId {
        MemberId::of(slot, self.0[slot].publish(1, None))
    }
}

/// One party's membership.
#[derive(Debug)]
pub struct Members<'a> {
    world: Rc<World>,
    party: usize,
    me: MemberId,
    region: PhantomData<&'a ()>,
}

impl MemberId {
    pub(crate) fn of(slot: usize, generation: u32) -> Self {
        Self { slot: u16::try_from(slot).expect("few slots"), generation }
    }
}

impl Members<'_> {
    pub(crate) const ALL: u32 = u32::MAX;

    pub(crate) fn new(world: Rc<World>, party: usize, me: MemberId) -> Self {
        Self { world, party, me, region: PhantomData }
    }

    /// The same party, joined anew as another member.
    pub fn anew(&self, me: MemberId) -> Self {
        Self::new(self.world.clone(), self.party, me)
    }

    /// Which party it is of.
    pub fn party(&self) -> usize {
        self.party
    }

    /// The world it is a member of.
    pub fn world(&self) -> &Rc<World> {
        &self.world
    }

    /// Who it is.
    pub fn me(&self) -> MemberId {
        self.me
    }

    pub(crate) fn is_mine(&self) -> bool {
        !self.world.is_unwinding()
    }

    /// As in production, which asks the kernel for itself no more than this does.
    pub fn is_alive(&self, id: MemberId) -> bool {
        let is_locked = || Ok(self.world.byte_is_locked(id.slot.into()));
        let slot = self.world.slots.0.get(usize::from(id.slot));
        id == self.me || slot.is_some_and(|slot| slot.is_held(id.generation, is_locked))
    }

    pub(crate) fn describe(&self, id: MemberId) -> Member {
        Member { id, pid: None, rank: None }
    }

    pub(crate) fn light_fence(&self) {
        self.world.light_fence(self.party);
    }

    #[must_use]
    pub(crate) fn heavy_fence(&self) -> bool {
        self.world.heavy_fence(self.party);
        true
    }

    pub(crate) fn sleep(&self, word: &AtomicU32, expected: u32, most: Duration) {
        self.world.sleep(self.party, word, expected, wait::is_timed(most));
    }

    pub(crate) fn wake(&self, word: &AtomicU32, most: u32) -> usize {
        self.world.wake(word, most)
    }
}
