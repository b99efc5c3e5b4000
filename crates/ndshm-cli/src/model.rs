//! A segment or a file as all subcommands see it: looked at once, shown as text or as JSON.

use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use ndshm_array::inspect::{
    ArrayContents, ClaimReport, Contents, InspectError, Report, SegmentFile,
};
use ndshm_array::npy::Order;
use ndshm_buffer::{Attached, SegmentInfo};
use ndshm_sync::{Holder, Inspection, Member};
use serde::Serialize;

use crate::outcome::Failure;
use crate::target::Target;

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Segment {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) state: State,
    /// What is wrong with it.
    pub(crate) problem: Option<String>,
    pub(crate) kind: Kind,
    /// NumPy's name, or what NumPy prints of a structured one.
    pub(crate) dtype: Option<String>,
    pub(crate) shape: Option<Vec<usize>>,
    /// `C` or `F`.
    pub(crate) order: Option<char>,
    /// Of the elements.
    pub(crate) data_bytes: Option<u64>,
    /// Of the whole.
    pub(crate) bytes: u64,
    pub(crate) format_version: Option<u32>,
    pub(crate) instance: Option<String>,
    /// What only a segment has.
    #[serde(flatten)]
    pub(crate) file: Option<FileFacts>,
    pub(crate) attached: Vec<Process>,
    pub(crate) members: Vec<Who>,
    /// An array's lock of its table of claims, or the mutex of a value.
    pub(crate) lock: Option<Lock>,
    pub(crate) claims: Vec<Claim>,
    pub(crate) waiters: bool,
    pub(crate) releases: u32,
    pub(crate) value: Option<Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// Some process has it.
    Live,
    /// Nobody has it; it is to be kept.
    Persisted,
    /// Some process has it, and it is to be kept.
    #[serde(rename = "live+persisted")]
    LivePersisted,
    /// Nobody has it, and nobody wanted it kept: `gc` removes it.
    Orphaned,
    /// This user may not look.
    Unknown,
    /// An `.npy` file.
    File,
}

impl State {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Persisted => "persisted",
            Self::LivePersisted => "live+persisted",
            Self::Orphaned => "orphaned",
            Self::Unknown => "unknown",
            Self::File => "file",
        }
    }

    fn of(info: &SegmentInfo) -> Self {
        match (info.is_in_use(), info.is_persisted()) {
            _ if !info.is_examined() => Self::Unknown,
            (true, true) => Self::LivePersisted,
            (true, false) => Self::Live,
            (false, true) => Self::Persisted,
            (false, false) => Self::Orphaned,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Array,
    Value,
    Raw,
    Npy,
    Damaged,
    Unreadable,
}

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Array => "array",
            Self::Value => "value",
            Self::Raw => "raw",
            Self::Npy => "npy",
            Self::Damaged => "damaged",
            Self::Unreadable => "unreadable",
        }
    }
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct FileFacts {
    pub(crate) in_use: bool,
    pub(crate) persisted: bool,
    pub(crate) capacity: u64,
    pub(crate) reserved: u64,
    pub(crate) owner: u32,
    pub(crate) group: u32,
    /// Octal, as `chmod` has it.
    pub(crate) mode: String,
    /// Seconds since 1970.
    pub(crate) modified: u64,
    pub(crate) device: u64,
    pub(crate) inode: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) command: String,
    pub(crate) writable: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Who {
    pub(crate) slot: u16,
    pub(crate) generation: u32,
    /// As it saw it itself; none once another has the slot.
    pub(crate) pid: Option<u32>,
    pub(crate) rank: Option<u32>,
    pub(crate) alive: bool,
    /// As messages name it.
    #[serde(skip)]
    pub(crate) text: String,
}

impl Who {
    fn of(holder: &Holder) -> Self {
        Self { alive: holder.alive, ..Self::of_member(&holder.member) }
    }

    fn of_member(member: &Member) -> Self {
        Self {
            slot: member.id.slot(),
            generation: member.id.generation(),
            pid: member.pid,
            rank: member.rank,
            alive: false,
            text: member.to_string(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Lock {
    pub(crate) holder: Option<Who>,
    pub(crate) sleepers: bool,
    pub(crate) poisoned_by: Option<Who>,
}

impl Lock {
    fn of(seen: &Inspection) -> Self {
        Self {
            holder: seen.holders.first().map(Who::of),
            sleepers: seen.sleepers,
            poisoned_by: seen.poisoned_by.as_ref().map(Who::of_member),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Claim {
    /// What of the array, as a slice is written.
    pub(crate) part: String,
    /// The first row that it has any of.
    pub(crate) first: usize,
    /// The row after the last.
    pub(crate) end: usize,
    pub(crate) mode: Mode,
    /// It is not had yet.
    pub(crate) waiting: bool,
    pub(crate) poisoned: bool,
    pub(crate) panicked: bool,
    pub(crate) by: Who,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    Read,
    Write,
    Atomic,
}

impl Claim {
    fn of(claim: &ClaimReport) -> Self {
        Self {
            part: claim.part.to_string(),
            first: claim.part.row_range().start,
            end: claim.part.row_range().end,
            mode: match claim.mode {
                ndshm_array::Mode::Exclusive => Mode::Write,
                ndshm_array::Mode::Atomic => Mode::Atomic,
                _ => Mode::Read,
            },
            waiting: claim.waiting,
            poisoned: claim.poisoned,
            panicked: claim.panicked,
            by: Who::of(&claim.by),
        }
    }

    /// Rows that somebody left half-changed, met by another since or not.
    pub(crate) fn is_harm(&self) -> bool {
        self.poisoned || !self.by.alive && !self.waiting && self.mode == Mode::Write
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Value {
    pub(crate) bytes: u64,
    pub(crate) initialised: bool,
}

impl Segment {
    /// What a name or a path leads to.
    pub(crate) fn of(target: &Target) -> Result<Self, Failure> {
        match target {
            Target::Segment(info) => Ok(Self::of_segment(info)),
            Target::File(path) => Self::of_file(path),
        }
    }

    /// Never fails: what is wrong is part of the picture.
    pub(crate) fn of_segment(info: &SegmentInfo) -> Self {
        Self::of_segments(std::slice::from_ref(info)).remove(0)
    }

    /// The same of many, at once: to look for the processes that have them takes as long as of one.
    pub(crate) fn of_segments(infos: &[SegmentInfo]) -> Vec<Self> {
        let attached = match infos.iter().any(SegmentInfo::is_in_use) {
            true => SegmentInfo::attached_to(infos),
            false => vec![Vec::new(); infos.len()],
        };
        infos.iter().zip(attached).map(|(info, attached)| Self::looked_at(info, attached)).collect()
    }

    fn looked_at(info: &SegmentInfo, attached: Vec<Attached>) -> Self {
        let modified = info.modified().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
        let blank = Self {
            state: State::of(info),
            bytes: info.len(),
            file: Some(FileFacts {
                in_use: info.is_in_use(),
                persisted: info.is_persisted(),
                capacity: info.capacity(),
                reserved: info.reserved(),
                owner: info.owner(),
                group: info.group(),
                mode: format!("{:04o}", info.mode()),
                modified,
                device: info.id().dev(),
                inode: info.id().ino(),
            }),
            attached: attached
                .into_iter()
                .map(|p| Process { pid: p.pid, command: p.command, writable: p.writable })
                .collect(),
            ..Self::blank(info.name().to_owned(), info.path())
        };
        blank.filled(SegmentFile::open_no_follow(info.path()))
    }

    fn of_file(path: &Path) -> Result<Self, Failure> {
        let file = SegmentFile::open(path)?;
        let blank = Self { bytes: file.len(), ..Self::blank(path.display().to_string(), path) };
        Ok(blank.filled(Ok(file)))
    }

    fn blank(name: String, path: &Path) -> Self {
        Self {
            name,
            path: path.to_owned(),
            state: State::File,
            problem: None,
            kind: Kind::Raw,
            dtype: None,
            shape: None,
            order: None,
            data_bytes: None,
            bytes: 0,
            format_version: None,
            instance: None,
            file: None,
            attached: Vec::new(),
            members: Vec::new(),
            lock: None,
            claims: Vec::new(),
            waiters: false,
            releases: 0,
            value: None,
        }
    }

    fn filled(mut self, looked: Result<SegmentFile, InspectError>) -> Self {
        let report = looked.and_then(|file| {
            self.contents(&file);
            file.report()
        });
        match report {
            Ok(report) => self.report(&report),
            Err(e) => {
                self.kind = match e {
                    InspectError::Open { .. } => Kind::Unreadable,
                    _ => Kind::Damaged,
                };
                self.problem = Some(e.to_string());
            }
        }
        self
    }

    fn contents(&mut self, file: &SegmentFile) {
        self.format_version = file.format_version();
        self.instance = file.instance().map(|id| id.iter().map(|b| format!("{b:02x}")).collect());
        self.kind = match file.contents() {
            Contents::Array(array) => {
                self.array(array);
                if array.is_live { Kind::Array } else { Kind::Npy }
            }
            Contents::Value => Kind::Value,
            _ => Kind::Raw,
        };
    }

    fn array(&mut self, array: &ArrayContents) {
        self.dtype = Some(array.dtype.to_string());
        self.shape = Some(array.shape.clone());
        self.order = Some(if array.order == Order::C { 'C' } else { 'F' });
        self.data_bytes = Some(array.data_len);
    }

    fn report(&mut self, report: &Report) {
        self.members = report.members.iter().map(Who::of).collect();
        self.lock = report.lock.as_ref().map(Lock::of);
        self.claims = report.claims.iter().map(Claim::of).collect();
        self.waiters = report.waiters;
        self.releases = report.releases;
        let value = report.value;
        self.value = value.map(|v| Value { bytes: v.size, initialised: v.initialised });
    }

    /// In a few characters: of a structured one what it begins with.
    pub(crate) fn dtype_text(&self) -> String {
        const LONGEST: usize = 28;
        let dtype = self.dtype.as_deref().unwrap_or_default();
        match dtype.char_indices().nth(LONGEST) {
            Some((end, _)) => format!("{}...", &dtype[..end]),
            None => dtype.to_owned(),
        }
    }

    /// `2000 x 2000`.
    pub(crate) fn shape_text(&self) -> String {
        match self.shape.as_deref() {
            None => String::new(),
            Some([]) => "()".to_owned(),
            Some(shape) => shape.iter().map(usize::to_string).collect::<Vec<_>>().join(" x "),
        }
    }

    /// `3: heat 1234 1240, python3 1299`.
    pub(crate) fn attached_text(&self) -> String {
        let mut programs: Vec<(&str, Vec<String>)> = Vec::new();
        for Process { pid, command, .. } in &self.attached {
            match programs.iter_mut().find(|(program, _)| program == command) {
                Some((_, pids)) => pids.push(pid.to_string()),
                None => programs.push((command, vec![pid.to_string()])),
            }
        }
        let programs =
            programs.iter().map(|(program, pids)| format!("{program} {}", pids.join(" ")));
        match self.attached.len() {
            0 => String::new(),
            n => format!("{n}: {}", programs.collect::<Vec<_>>().join(", ")),
        }
    }
}
