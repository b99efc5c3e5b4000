//! Which processes have a file mapped, as far as /proc shows them to this user.

use std::collections::{BTreeMap, HashMap};
use std::fs;

/// A process that maps a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mapper {
    pub(crate) pid: u32,
    pub(crate) command: String,
    pub(crate) writable: bool,
}

/// For each of the files, by device and inode, all that can be seen to map it, by process id. What ends meanwhile, or
/// belongs to others, is left out.
pub(crate) fn mappers(files: &[(u64, u64)]) -> Vec<Vec<Mapper>> {
    let mut found = vec![Vec::new(); files.len()];
    let Ok(processes) = fs::read_dir("/proc") else { return found };
    let wanted: HashMap<_, _> = files.iter().enumerate().map(|(i, &file)| (file, i)).collect();
    for pid in processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()) {
        let Ok(maps) = fs::read(format!("/proc/{pid}/maps")) else { continue };
        let mapped = mapped(&String::from_utf8_lossy(&maps), &wanted);
        if mapped.is_empty() {
            continue;
        }
        let command = command(pid);
        for (file, writable) in mapped {
            found[file].push(Mapper { pid, command: command.clone(), writable });
        }
    }
    for mappers in &mut found {
        mappers.sort_unstable_by_key(|mapper| mapper.pid);
    }
    found
}

/// The name of its program.
fn command(pid: u32) -> String {
    let command = fs::read(format!("/proc/{pid}/comm")).unwrap_or_default();
    let command = String::from_utf8_lossy(&command).trim_end().to_owned();
    if command != "exe" {
        return command;
    }
    // Started through /proc/self/exe, as a program starts itself once more: then the link has the name.
    let program = fs::read_link(format!("/proc/{pid}/exe")).ok();
    let program = program.and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
    program.map_or(command, |program| program.chars().take(15).collect())
}

/// Which of the wanted files these mappings are of, and whether any of a file's may be written to.
fn mapped(maps: &str, wanted: &HashMap<(u64, u64), usize>) -> BTreeMap<usize, bool> {
    let mut mapped = BTreeMap::new();
    let fields = maps.lines().filter_map(|line| {
        // address permissions offset device inode path
        let mut fields = line.split_ascii_whitespace();
        let permissions = fields.nth(1)?;
        let (major, minor) = fields.nth(1)?.split_once(':')?;
        let number = |hex| u32::from_str_radix(hex, 16).ok();
        let device = rustix::fs::makedev(number(major)?, number(minor)?);
        let file = wanted.get(&(device, fields.next()?.parse().ok()?))?;
        Some((*file, permissions.contains('w')))
    });
    for (file, writable) in fields {
        *mapped.entry(file).or_default() |= writable;
    }
    mapped
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
        let wanted = [((device, 42), 0), ((device, 43), 1), ((device, 44), 2)].into();
        assert_eq!(mapped(maps, &wanted), [(0, false), (1, true)].into());
    }
}
