//! What is said of a descriptor that travels.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::buffer::SharedBuffer;
use crate::id::SegmentId;
use crate::name::Place;

/// The version of the text.
pub(crate) const VERSION: u32 = 1;

const TITLE: &str = "ndshm-buffer";

/// Longer is no ticket: a path, a name and some numbers.
pub(super) const LONGEST: usize = 4096 + 512;

/// Which segment a descriptor is of, and how it may be used. The text of it, fields separated by a space each:
/// `ndshm-buffer`, the version, `rw` or `ro`, device, inode, length of the file; and of a named one the name, and the
/// directory, which goes to the end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    pub(crate) id: SegmentId,
    pub(crate) file_len: u64,
    pub(crate) read_only: bool,
    pub(crate) place: Option<Place>,
}

/// Why a text is not a ticket that can be used.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum BadTicket {
    Version(u32),
    Garbled,
}

impl Ticket {
    pub(super) fn of(buffer: &SharedBuffer) -> Self {
        Self {
            id: buffer.id(),
            file_len: buffer.mapping().file_len() as u64,
            read_only: buffer.is_read_only(),
            place: buffer.place().cloned(),
        }
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let access = if self.read_only { "ro" } else { "rw" };
        let (dev, ino, len) = (self.id.dev(), self.id.ino(), self.file_len);
        let mut text = format!("{TITLE} {VERSION} {access} {dev} {ino} {len}").into_bytes();
        if let Some(place) = &self.place {
            text.extend(format!(" {} ", place.name()).bytes());
            text.extend(place.dir().as_os_str().as_bytes());
        }
        text
    }

    pub(super) fn parse(text: &[u8]) -> Result<Self, BadTicket> {
        let mut fields = text.splitn(8, |&byte| byte == b' ');
        let mut next = || fields.next().and_then(|field| str::from_utf8(field).ok());
        if next() != Some(TITLE) {
            return Err(BadTicket::Garbled);
        }
        let version = number(next())?;
        if version != u64::from(VERSION) {
            return Err(BadTicket::Version(u32::try_from(version).unwrap_or(u32::MAX)));
        }
        let read_only = match next() {
            Some("ro") => true,
            Some("rw") => false,
            _ => return Err(BadTicket::Garbled),
        };
        let id = SegmentId::new(number(next())?, number(next())?);
        let file_len = number(next())?;
        let place = match (fields.next(), fields.next()) {
            (None, _) => None,
            (Some(name), Some(dir)) => {
                let name = str::from_utf8(name).map_err(|_| BadTicket::Garbled)?;
                let dir = Path::new(OsStr::from_bytes(dir));
                // It is only told, never looked up here; but what cannot be does not come from this crate.
                Some(Place::new(dir, name).map_err(|_| BadTicket::Garbled)?)
            }
            (Some(_), None) => return Err(BadTicket::Garbled),
        };
        Ok(Self { id, file_len, read_only, place })
    }
}

fn number(field: Option<&str>) -> Result<u64, BadTicket> {
    field.and_then(|field| field.parse().ok()).ok_or(BadTicket::Garbled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tickets_come_back_as_they_were() {
        let place = Place::new(Path::new("/with a space/x"), "a").unwrap();
        for place in [None, Some(place)] {
            for read_only in [false, true] {
                let id = SegmentId::new(26, u64::MAX);
                let ticket = Ticket { id, file_len: 7, read_only, place: place.clone() };
                assert_eq!(Ticket::parse(&ticket.to_bytes()), Ok(ticket));
            }
        }
    }

    #[test]
    fn the_text_is_as_specified() {
        let place = Place::new(Path::new("/dev/shm"), "heat").unwrap();
        let id = SegmentId::new(26, 42);
        let ticket = Ticket { id, file_len: 4096, read_only: true, place: Some(place) };
        assert_eq!(ticket.to_bytes(), b"ndshm-buffer 1 ro 26 42 4096 heat /dev/shm");
    }

    #[test]
    fn what_is_no_ticket_is_refused() {
        assert_eq!(Ticket::parse(b"ndshm-buffer 2 rw 1 2 3"), Err(BadTicket::Version(2)));
        for bad in [
            &b""[..],
            b"ndshm-buffer",
            b"other 1 rw 1 2 3",
            b"ndshm-buffer 1 wr 1 2 3",
            b"ndshm-buffer 1 rw 1 2",
            b"ndshm-buffer 1 rw 1 2 -3",
            b"ndshm-buffer 1 rw 1 2 3 name",
            b"ndshm-buffer 1 rw 1 2 3 a/b /dev/shm",
            b"ndshm-buffer 1 rw 1 2 3 \xff /dev/shm",
            b"ndshm-buffer x rw 1 2 3",
        ] {
            assert_eq!(Ticket::parse(bad), Err(BadTicket::Garbled), "{bad:?}");
        }
    }
}
