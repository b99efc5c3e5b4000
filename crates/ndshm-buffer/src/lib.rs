//! Raw shared memory between processes: bytes that several of them map.
//!
//! # The idea
//!
//! A **segment** is a file that lies in memory. It is made without a name, given its whole length, reserved to the last
//! page and initialised; only then may others see it. So nobody meets half a segment, a full machine is an error at
//! creation and not a fault (SIGBUS) later, and a creator that is killed half-way leaves nothing behind.
//!
//! A segment is **anonymous** (`memfd`, sealed: its length cannot change) or **named**. Anonymous ones go by
//! [handle](BufferHandle), over a [socket](SharedBuffer::send_to) or by [inheritance](SharedBuffer::pass_to) to the
//! processes one chooses and vanish with the last of them.
//! Named ones are for programs that do not know each other: the name `heat` is the file `/dev/shm/ndshm.heat`, mode
//! 0600, until the buffer that created it is dropped, unless it is to [persist](SharedBuffer::persist).
//!
//! ```
//! use ndshm_buffer::SharedBuffer;
//!
//! # let name = &format!("doc-crate-{}", std::process::id());
//! // One program:
//! let frames = SharedBuffer::options().create_with(name, 1 << 20, |bytes| bytes[0] = 42)?;
//!
//! // Another:
//! let seen = SharedBuffer::options().read_only(true).open(name)?;
//! let mut first = [0];
//! seen.read_at(0, &mut first)?;
//! assert_eq!(first, [42]);
//! # drop(frames);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Index
//!
//! | | |
//! |---|---|
//! | [`SharedBuffer`] | a segment, mapped: its bytes, name, handle |
//! | [`BufferOptions`] | creates, opens, lists and removes: directory, read-only, persist, foreign owner |
//! | [`Backend`], [`Unsupported`] | what makes and maps segments, and what it cannot do |
//! | [`SegmentInfo`], [`Attached`] | what there is: size, owner, mode, age, who has it, whether it is an orphan |
//! | [`BufferHandle`] | inert and serialisable; another process opens it |
//! | [`SegmentId`] | which segment it is |
//! | [`passing`] | for launchers: segments as inherited descriptors (feature `serde`) |
//! | [`Prefault`], [`Placement`] | huge pages and page tables before the first touch; on which memory node |
//! | [`Prefaulted`], [`Placed`] | what was got |
//! | [`CreateError`], [`OpenError`], [`GrowError`], [`PrefaultError`], [`ListError`], [`RemoveError`], [`PersistError`], [`ReadError`], [`WriteError`], [`RangeError`], [`MissingError`], [`SendError`], [`ReceiveError`], [`PassError`], [`InheritError`], [`NameError`] | one error per operation |
//!
//! # What holds
//!
//! - A process maps a segment **once** for each access (read-write, read-only), however often it opens it: two opens give
//!   one address. Segments of 2 MiB and more begin at a 2 MiB boundary, ready for huge pages.
//! - A segment created with a [capacity](BufferOptions::capacity) [grows](SharedBuffer::grow) in place; no address changes.
//! - Too little of anything is a typed error at creation that names the limit and the remedy: room in the filesystem, its
//!   inodes, memory, a control group, address space, file size, descriptors. Never a signal.
//! - Symbolic links are not followed; a segment of another user, with further hard links, or of another file type is
//!   refused.
//! - A name is removed by its creator's drop, [`SharedBuffer::unlink`] or [`BufferOptions::remove`], never by attaching
//!   or exiting elsewhere, and never from a *new* segment that took the name meanwhile.
//! - As long as a process has a segment mapped it holds a lock on a byte of the file, which the kernel drops at its
//!   death, SIGKILL included: what a killed creator left behind can be told from what lives. [`BufferOptions::gc`]
//!   removes the former, and nothing else.
//!
//! # Backends
//!
//! There are two, with one interface, and with names of their own: [`BufferOptions::backend`] chooses. What is said above
//! holds for the native one. The portable one is made of the crate `shared_memory`, and lacks what that cannot do; it says
//! so by an [`Unsupported`] in the error of the operation, which names the reason and the way round.
//!
//! | | [`Native`](Backend::Native): Linux, the default there | [`Portable`](Backend::Portable): cargo feature `portable` |
//! |---|---|---|
//! | a segment is | a file made without a name, or a memfd | POSIX shared memory, `heat` by the os_id `/ndshm-p.heat` |
//! | others open it | by [this crate](BufferOptions::open), and as a file | by this crate, and by [`shared_memory`](SharedBuffer::os_id); what a program of that made is opened by its [os_id](BufferOptions::open_os_id) |
//! | published | by its name, once it is whole | by a mark at its end: who opens it waits for that, up to 2 s; `init` fills private memory, which is copied |
//! | a creator killed while it creates leaves | nothing | nothing, or half a segment: an error to who opens it, until it is removed |
//! | what a killed creator had finished | is an orphan, for [`gc`](BufferOptions::gc) to remove | stays until it is removed: nothing tells it from one that lives |
//! | a removal meant for one segment | never takes the name of another | nor does this, but for a moment between the look and the removal |
//! | reserved | at creation | at creation, and when something of another program is opened; where the system has no such call (macOS), memory is given out as it is touched |
//! | takes beside its bytes | nothing | 64 bytes, and what is missing to a multiple of 16 KiB |
//! | begins at | a page, or a 2 MiB boundary | a page |
//! | anonymous, read-only, growing, prefaulted, guarded, of another mode, group or directory, listed, passed as a descriptor | yes | no: [`Unsupported`] |
//! | names have at most | 200 bytes | 200; on macOS 22 |
//!
//! **`shared_memory`** has faults that are not passed on. It gives out memory that a full filesystem does not have, which is
//! a SIGBUS at some touch: here everything is reserved first, and too little room is an error. It lets others see a length
//! of 0, and rounds lengths up on some systems: the mark at the end has the exact one. It removes names as a side effect of
//! dropping, and its errors are numbers. Its links in files are not used.
//!
//! **Where this was compiled and run**, both backends by one suite (`tests/conformance`): x86_64 Linux (glibc) only. There
//! the portable backend was also compiled and run without the native one, as on another unix (`--cfg ndshm_portable_only`).
//! macOS and FreeBSD, for which `shared_memory` is made too, were neither compiled nor run. On Windows the crate does not
//! compile, and says so; elsewhere it needs the feature, and says that.
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `serde` (default) | [`BufferHandle`] and [`SegmentId`] serialise; buffers do so inside [`passing`] |
//! | `portable` | [`Backend::Portable`], over the crate `shared_memory`; without it that backend is an [`Unsupported`] |
//!
//! # What is not here
//!
//! Locks, element types and views: `ndshm-sync` supplies locks for any shared memory, `ndshm-array` builds arrays on both.
//! Nothing here orders the writes of several processes.
#![cfg_attr(
    not(feature = "serde"),
    doc = "",
    doc = "[`passing`]: https://docs.rs/ndshm-buffer/latest/ndshm_buffer/passing/"
)]

mod backend;
mod buffer;
mod bytes;
mod copy;
mod create;
mod creator;
mod error;
mod growth;
mod handle;
mod id;
mod info;
mod lacking;
mod lifecycle;
mod listing;
mod mapping;
mod name;
mod open;
mod operations;
mod options;
mod os_id;
mod pass;
#[cfg(feature = "serde")]
pub mod passing;
mod per_process;
#[cfg(feature = "portable")]
mod portable;
#[cfg(not(feature = "portable"))]
#[path = "portable/absent.rs"]
mod portable;
mod prefault;
mod registry;
mod room;
mod sys;
mod typed;
#[cfg(feature = "serde")]
mod wire;

pub use backend::Backend;
pub use buffer::SharedBuffer;
pub use error::{
    CreateError, GrowError, InheritError, ListError, MissingError, OpenError, PassError,
    PersistError, PrefaultError, RangeError, ReadError, ReceiveError, RemoveError, SendError,
    Shortage, Unsupported, WriteError,
};
pub use handle::BufferHandle;
pub use id::SegmentId;
pub use info::{Attached, SegmentInfo};
pub use name::NameError;
pub use options::BufferOptions;
pub use per_process::PerProcess;
pub use prefault::{Placed, Placement, Prefault, Prefaulted};
pub use typed::TYPED_MAGIC;

/// The README's example runs, too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
