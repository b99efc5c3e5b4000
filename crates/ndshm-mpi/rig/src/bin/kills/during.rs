//! What a job does, over and over.

/// In the order in which a job does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum During {
    Creation,
    Halo,
    Broadcast,
    Allreduce,
    Save,
    Load,
    Redistribution,
    Workers,
}

impl During {
    pub(crate) const ALL: &[Self] = &[
        Self::Creation,
        Self::Halo,
        Self::Broadcast,
        Self::Allreduce,
        Self::Save,
        Self::Load,
        Self::Redistribution,
        Self::Workers,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Creation => "creation",
            Self::Halo => "halo",
            Self::Broadcast => "broadcast",
            Self::Allreduce => "allreduce",
            Self::Save => "save",
            Self::Load => "load",
            Self::Redistribution => "redistribution",
            Self::Workers => "workers",
        }
    }
}
