//! What is refused, with an error that says why.

use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::Duration;

use ndshm_buffer::{
    CreateError, GrowError, ListError, NameError, OpenError, PassError, Prefault, PrefaultError,
    RemoveError, SendError, Unsupported,
};
use ndshm_testkit::{one_line, skip};

use crate::arena::Arena;

const SOON: Duration = Duration::from_secs(40);
const OTHER: u32 = 65_533;

pub(crate) fn names_and_lengths(arena: &Arena) {
    let options = arena.options();
    for bad in ["", ".", "..", "a/b", "/a", "a b", "a\0", "é", &"n".repeat(201)] {
        let refused = options.create(bad, 64).unwrap_err();
        assert!(matches!(refused, CreateError::BadName(_)), "{bad:?}: {refused}");
        one_line(&refused, &["use"]);
        assert!(matches!(options.open(bad), Err(OpenError::BadName(_))));
        assert!(matches!(options.remove(bad), Err(RemoveError::BadName(_))));
    }
    let too_long = options.create(&"n".repeat(201), 64);
    assert!(matches!(too_long, Err(CreateError::BadName(NameError::TooLong { len: 201 }))));
    let name = arena.name();
    let empty = options.create(name, 0).unwrap_err();
    assert!(matches!(empty, CreateError::Empty { .. }), "{empty}");
    for huge in [usize::MAX, usize::MAX / 2 + 1, isize::MAX as usize - 10] {
        let refused = options.create(name, huge).unwrap_err();
        assert!(
            matches!(
                refused,
                CreateError::TooLarge { .. } | CreateError::NoSpace { source: None, .. }
            ),
            "{refused}"
        );
        one_line(&refused, &[name]);
    }
    let refused = options.create(name, 1 << 50).unwrap_err();
    assert!(matches!(refused, CreateError::NoSpace { asked, .. } if asked == 1 << 50), "{refused}");
    let refused = options.clone().read_only(true).create(name, 64).unwrap_err();
    assert!(matches!(refused, CreateError::ReadOnly { .. }), "{refused}");
    let unmade = options.open(name).unwrap_err();
    assert!(matches!(unmade, OpenError::NotFound { .. }), "{unmade}");
}

/// Both do all of it, or say that they do not.
pub(crate) fn what_a_backend_cannot_do(arena: &Arena) {
    let (options, name) = (arena.options(), arena.name());
    let mut refused: Vec<Unsupported> = Vec::new();
    let mut tried = 0;
    macro_rules! try_it {
        ($error:ident, $done:expr) => {
            tried += 1;
            match $done {
                Ok(_) => {}
                Err($error::Unsupported(why)) => refused.push(why),
                Err(other) => panic!("{}: {other}", stringify!($done)),
            }
        };
    }
    let prefault = Prefault::pages();
    try_it!(CreateError, options.clone().capacity(100).create(name, 64));
    try_it!(CreateError, options.clone().mode(0o640).create(name, 64));
    let group = rustix::process::getegid().as_raw();
    try_it!(CreateError, options.clone().group(group).create(name, 64));
    try_it!(CreateError, options.clone().prefault(prefault.clone()).create(name, 64));
    try_it!(CreateError, options.clone().guarded(true).create(name, 64));
    try_it!(CreateError, options.clone().dir("/dev/shm").create(name, 64));
    try_it!(CreateError, options.anonymous(64));
    try_it!(ListError, options.list());
    try_it!(ListError, options.gc());
    let buffer = options.create(name, 64).unwrap();
    try_it!(OpenError, options.info(name));
    try_it!(OpenError, options.clone().read_only(true).open(name));
    try_it!(OpenError, options.clone().guarded(true).open(name));
    try_it!(OpenError, options.clone().read_only(true).open_handle(&buffer.handle()));
    try_it!(PrefaultError, buffer.prefault(.., &prefault));
    let (here, _there) = UnixStream::pair().unwrap();
    try_it!(SendError, buffer.send_to(&here));
    try_it!(PassError, buffer.pass_to(&mut Command::new("true"), "key"));
    if !arena.is_native() {
        try_it!(GrowError, buffer.grow(65));
    }
    // What asks for nothing is nothing to refuse.
    assert_eq!(buffer.grow(10).unwrap(), 64);
    assert_eq!(buffer.prefault(.., &Prefault::none()).unwrap().reserved, 64);
    assert_eq!(buffer.prefaulted().reserved, 64);

    assert_eq!(refused.len(), if arena.is_native() { 0 } else { tried });
    for why in refused {
        assert_eq!(why.backend, arena.backend);
        one_line(&why, &["the portable backend", why.what, why.remedy]);
    }
}

pub(crate) fn links_and_other_files(arena: &Arena) {
    let (options, name, file) = (arena.options(), arena.name(), arena.file());
    let target = tempfile::NamedTempFile::new().unwrap();
    target.as_file().set_len(1 << 20).unwrap();
    symlink(target.path(), &file).unwrap();
    let link = options.open(name).unwrap_err();
    assert!(matches!(link, OpenError::Symlink { .. }), "{link}");
    assert!(matches!(options.create(name, 64), Err(CreateError::NameTaken { .. })));
    assert!(matches!(options.remove(name), Err(RemoveError::NotRegular { .. })));
    std::fs::remove_file(&file).unwrap();

    rustix::fs::mkfifoat(rustix::fs::CWD, &file, 0o600.into()).unwrap();
    let fifo = options.open(name).unwrap_err();
    assert!(matches!(fifo, OpenError::NotRegular { .. }), "{fifo}");
    assert!(matches!(options.create(name, 64), Err(CreateError::NameTaken { .. })));
    std::fs::remove_file(&file).unwrap();

    let buffer = arena.create(64);
    let second = file.with_extension("second");
    std::fs::hard_link(&file, &second).unwrap();
    let links = options.open(name).map(drop);
    std::fs::remove_file(second).unwrap();
    assert!(matches!(links, Err(OpenError::HardLinks { links: 2, .. })), "{links:?}");
    assert_eq!(options.open(name).unwrap().id(), buffer.id());
}

/// Another user: refused, with a typed error.
pub(crate) fn stranger() {
    // SAFETY: changes the user of this process, and touches no memory.
    assert_eq!(unsafe { libc::setresuid(OTHER, OTHER, OTHER) }, 0);
    let arena = Arena::inherited();
    let (options, name) = (arena.options(), arena.name());
    for options in [options.clone(), options.foreign_owner(true)] {
        let refused = options.open(name).unwrap_err();
        assert!(
            matches!(refused, OpenError::PermissionDenied { .. } | OpenError::ForeignOwner { .. }),
            "{refused}"
        );
        one_line(&refused, &[name]);
        let refused = options.remove(name).unwrap_err();
        assert!(
            matches!(
                refused,
                RemoveError::PermissionDenied { .. } | RemoveError::ForeignOwner { .. }
            ),
            "{refused}"
        );
    }
}

pub(crate) fn another_users(arena: &Arena) {
    if !rustix::process::geteuid().is_root() {
        return skip("another user", "only root can become one");
    }
    let (options, name) = (arena.options(), arena.name());
    let buffer = arena.create(64);
    if arena.is_native() {
        let dir = arena.file().parent().unwrap().to_owned();
        std::fs::set_permissions(dir, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    arena.role("refusals::stranger", "").spawn().succeed(SOON);
    std::os::unix::fs::chown(arena.file(), Some(OTHER), None).unwrap();
    let foreign = options.open(name).unwrap_err();
    assert!(matches!(foreign, OpenError::ForeignOwner { owner: OTHER, .. }), "{foreign}");
    let foreign = options.remove(name).unwrap_err();
    assert!(matches!(foreign, RemoveError::ForeignOwner { owner: OTHER, .. }), "{foreign}");
    let trusting = options.foreign_owner(true);
    assert_eq!(trusting.open(name).unwrap().id(), buffer.id());
    trusting.remove(name).unwrap();
}
