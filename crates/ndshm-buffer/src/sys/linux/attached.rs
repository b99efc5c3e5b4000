//! Which processes have a file mapped, as far as /proc shows them to this user.

use std::fs;

/// A process that maps a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mapper {
    pub(crate) pid: u32,
    pub(crate) command: String,
    pub(crate) writable: bool,
}

/// All that can be seen to map the file, by process id. What ends meanwhile, or belongs to others, is left out.
pub(crate) fn mappers(dev: u64, ino: u64) -> Vec<Mapper> {
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let mut found: Vec<_> = pids.filter_map(|pid| mapper(pid, dev, ino)).collect();
    found.sort_unstable_by_key(|mapper| mapper.pid);
    found
}

fn mapper(pid: u32, dev: u64, ino: u64) -> Option<Mapper> {
    let maps = fs::read(format!("/proc/{pid}/maps")).ok()?;
    let writable = maps_file(&String::from_utf8_lossy(&maps), dev, ino)?;
    let command = fs::read(format!("/proc/{pid}/comm")).unwrap_or_default();
    let command = String::from_utf8_lossy(&command).trim_end().to_owned();
    Some(Mapper { pid, command, writable })
}

/// Whether one of these mappings is of the file, and if so whether any may be written to.
fn maps_file(maps: &str, dev: u64, ino: u64) -> Option<bool> {
    let device = format!("{:02x}:{:02x}", rustix::fs::major(dev), rustix::fs::minor(dev));
    let permissions = maps.lines().filter_map(|line| {
        // address permissions offset device inode path
        let mut fields = line.split_ascii_whitespace();
        let permissions = fields.nth(1)?;
        let (found, inode) = (fields.nth(1)?, fields.next()?);
        (found == device && inode.parse() == Ok(ino)).then_some(permissions)
    });
    permissions.map(|permissions| permissions.contains('w')).reduce(|a, b| a || b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_maps_are_told_by_device_and_inode() {
        let maps = "7f00-7f01 r--s 00000000 00:1a 42   /dev/shm/ndshm.with a space\n\
                    7f02-7f03 rw-s 00000000 00:1a 43   /dev/shm/ndshm.b (deleted)\n\
                    7f04-7f05 r-xp 00000000 08:1a 42   /bin/x\n\
                    7f06-7f07 rw-p 00000000 00:00 0\n";
        let device = rustix::fs::makedev(0, 0x1a);
        assert_eq!(maps_file(maps, device, 42), Some(false));
        assert_eq!(maps_file(maps, device, 43), Some(true));
        assert_eq!(maps_file(maps, device, 44), None);
    }
}
