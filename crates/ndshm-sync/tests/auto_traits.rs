//! What may go to another thread: handles may, guards stay. Checked when this is compiled.

use std::panic::{RefUnwindSafe, UnwindSafe};

use ndshm_sync::{
    Barrier, BarrierCell, BarrierError, EventCount, Inspection, JoinError, Layout, LayoutError,
    LockError, Member, MemberId, Members, Mutex, MutexCell, MutexGuard, Once, OnceCell, OnceError,
    OnceWords, Party, Poisoned, RawMutex, Region,
};

macro_rules! is {
    ($trait:ident: $($type:ty),* $(,)?) => {
        $(const _: fn() = || {
            fn has<T: ?Sized + $trait>() {}
            has::<$type>();
        };)*
    };
}

/// Fails to compile where the type has the trait: then two implementations apply, and `_` cannot
/// be chosen.
macro_rules! is_not {
    ($trait:ident: $($type:ty),* $(,)?) => {
        $(const _: fn() = || {
            trait Either<A> {
                fn of() {}
            }
            struct Has;
            impl<T: ?Sized> Either<()> for T {}
            impl<T: ?Sized + $trait> Either<Has> for T {}
            let _of: fn() = <$type as Either<_>>::of;
        };)*
    };
}

type Guard = MutexGuard<'static, u64>;

is!(Send: Members<'static>, Region<'static>, Layout<'static>, Mutex<'static, u64>, Barrier<'static>,
    Party<'static>, Once<'static>, OnceCell<'static, u64>, RawMutex, EventCount, MemberId, Member);
is!(Sync: Members<'static>, Region<'static>, Layout<'static>, Mutex<'static, u64>, Barrier<'static>,
    Party<'static>, Once<'static>, OnceCell<'static, u64>, RawMutex, EventCount, MemberId, Member);
// What lies in shared memory is shared, and never moved.
is!(Sync: MutexCell<u64>, BarrierCell, OnceWords<u64>);
// A guard stays with its thread, also inside an error; what it lends may be shared.
is_not!(Send: Guard, Poisoned<Guard>, LockError<Guard>, Result<Guard, LockError<Guard>>);
is!(Sync: Guard);
// Errors without a guard go anywhere.
is!(Send: LockError<()>, LayoutError, JoinError, BarrierError, OnceError, Inspection);
is!(Sync: LockError<()>, LayoutError, JoinError, BarrierError, OnceError, Inspection);
// A panic with a lock held poisons it; one in an initialiser leaves nothing.
is!(UnwindSafe: Members<'static>, Mutex<'static, u64>, OnceCell<'static, u64>, Once<'static>);
is!(RefUnwindSafe: Members<'static>, Mutex<'static, u64>, OnceCell<'static, u64>, Once<'static>);
#[cfg(feature = "lock_api")]
is!(Send: ndshm_sync::BoundMutex<'static>);
#[cfg(feature = "lock_api")]
is!(Sync: ndshm_sync::BoundMutex<'static>);
#[cfg(feature = "lock_api")]
is_not!(Send: lock_api::MutexGuard<'static, ndshm_sync::BoundMutex<'static>, u64>);

#[test]
fn the_checks_can_tell() {
    // Of a type that has no trait at all, `is_not` holds; of one that has, it would not compile.
    is_not!(Send: *const u8, std::rc::Rc<u8>);
}
