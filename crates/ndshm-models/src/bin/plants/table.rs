//! The bugs.

/// One bug: what stands in a file of ndshm-sync, and what stands there instead.
pub(crate) struct Plant {
    pub(crate) name: &'static str,
    /// Below `crates/ndshm-sync/src`.
    pub(crate) file: &'static str,
    pub(crate) text: &'static str,
    pub(crate) instead: &'static str,
    /// The model that has to fail.
    pub(crate) model: &'static str,
    /// Whether the model has to look as deeply as `models` does without `--short`.
    pub(crate) deep: bool,
}

const fn plant(
    name: &'static str,
    file: &'static str,
    text: &'static str,
    instead: &'static str,
    model: &'static str,
) -> Plant {
    Plant { name, file, text, instead, model, deep: false }
}

const PARK: &str = "park.rs";
const MUTEX: &str = "mutex/raw.rs";
const SLOT: &str = "member/slot.rs";

pub(crate) const PLANTS: &[Plant] = &[
    plant(
        "sleeper-without-flag",
        PARK,
        "        self.keep();\n        let sure",
        "        let sure",
        "mutex",
    ),
    plant(
        "sleeper-without-heavy-fence",
        PARK,
        "let sure = members.heavy_fence();",
        "let sure = true;",
        "mutex",
    ),
    plant(
        "hand-on-without-light-fence",
        PARK,
        "members.light_fence();\n        if self.any() {\n            self.clear_and_wake(members, 1);",
        "if self.any() {\n            self.clear_and_wake(members, 1);",
        "mutex",
    ),
    plant(
        "hand-on-leaves-the-flag",
        PARK,
        "            self.clear_and_wake(members, 1);",
        "            members.wake(&self.0, 1);",
        "mutex",
    ),
    plant(
        "wake-before-clearing-the-flag",
        PARK,
        "        self.0.store(0, Ordering::Relaxed);\n        members.wake(&self.0, most);",
        "        members.wake(&self.0, most);\n        self.0.store(0, Ordering::Relaxed);",
        "mutex",
    ),
    plant(
        "mutex-woken-does-not-keep",
        MUTEX,
        "            self.sleepers.keep(); // it was",
        "            // it was",
        "mutex",
    ),
    plant(
        "mutex-does-not-look-again",
        MUTEX,
        "            if now == word {\n",
        "            if now == now {\n",
        "mutex",
    ),
    plant(
        "mutex-wakes-before-it-releases",
        MUTEX,
        "        self.word.store(poison, Ordering::Release);\n        self.sleepers.hand_on(members);",
        "        self.sleepers.hand_on(members);\n        self.word.store(poison, Ordering::Release);",
        "mutex",
    ),
    plant("mutex-does-not-wake", MUTEX, "        self.sleepers.hand_on(members);", "", "mutex"),
    plant(
        "mutex-release-relaxed",
        MUTEX,
        "self.word.store(poison, Ordering::Release);",
        "self.word.store(poison, Ordering::Relaxed);",
        "mutex",
    ),
    plant(
        "mutex-fast-path-without-acquire",
        MUTEX,
        "self.word.compare_exchange(0, mine, Ordering::AcqRel, Ordering::Relaxed)",
        "self.word.compare_exchange(0, mine, Ordering::Release, Ordering::Relaxed)",
        "mutex",
    ),
    plant(
        "mutex-fast-path-without-release",
        MUTEX,
        "self.word.compare_exchange(0, mine, Ordering::AcqRel, Ordering::Relaxed)",
        "self.word.compare_exchange(0, mine, Ordering::Acquire, Ordering::Relaxed)",
        "mutex-slot",
    ),
    plant(
        "mutex-slow-path-without-release",
        MUTEX,
        "match self.replace(word, mine | POISONED, Ordering::AcqRel) {",
        "match self.replace(word, mine | POISONED, Ordering::Acquire) {",
        "mutex-slot",
    ),
    plant(
        "mutex-poison-skipped",
        MUTEX,
        "match self.replace(word, mine | POISONED, Ordering::AcqRel) {",
        "match self.replace(word, mine, Ordering::AcqRel) {",
        "mutex-poison",
    ),
    plant(
        "mutex-poison-not-told",
        MUTEX,
        "                        break Acquired::Poisoned(Culprit::Died(culprit));",
        "                        break Acquired::Clean;",
        "mutex-death",
    ),
    plant(
        "mutex-poison-lost-at-release",
        MUTEX,
        "self.word.load(Ordering::Relaxed) & POISONED;\n        // Release",
        "0;\n        // Release",
        "mutex-poison",
    ),
    plant(
        "mutex-poison-lost-at-taking",
        MUTEX,
        "mine | word & POISONED, Ordering::AcqRel",
        "mine, Ordering::AcqRel",
        "mutex-poison",
    ),
    plant(
        "mutex-culprit-not-written",
        MUTEX,
        "                        self.culprit.store(culprit.to_bits(), Ordering::Relaxed);",
        "",
        "mutex-poison",
    ),
    plant(
        "mutex-panic-as-death",
        MUTEX,
        "self.culprit.store(PANICKED | members.me().to_bits(), Ordering::Relaxed);",
        "self.culprit.store(members.me().to_bits(), Ordering::Relaxed);",
        "mutex-poison",
    ),
    plant(
        "mutex-robs-the-living",
        MUTEX,
        "owner.is_none_or(|owner| !members.is_alive(owner))",
        "owner.is_none_or(|owner| members.is_alive(owner))",
        "mutex",
    ),
    plant(
        "mutex-never-asks-after-the-owner",
        MUTEX,
        "owner.is_none_or(|owner| !members.is_alive(owner))",
        "owner.is_none()",
        "mutex-death",
    ),
    plant(
        "mutex-takeover-overwrites",
        MUTEX,
        "                match self.replace(word, mine | POISONED, Ordering::AcqRel) {",
        "                match Ok::<(), u64>(self.word.store(mine | POISONED, Ordering::Release)) {",
        "mutex-recovery",
    ),
    plant(
        "mutex-gives-up-with-the-wake-up",
        MUTEX,
        "if slice.is_none() && !slept {",
        "if slice.is_none() {",
        "mutex-timeout",
    ),
    plant(
        "alive-by-slot-alone",
        SLOT,
        "self.stamp().generation == generation\n            && is_locked().unwrap_or(true)\n            && self.stamp().generation == generation",
        "is_locked().unwrap_or(true)",
        "mutex-slot",
    ),
    plant(
        "alive-by-generation-alone",
        SLOT,
        "self.stamp().generation == generation\n            && is_locked().unwrap_or(true)\n            && self.stamp().generation == generation",
        "self.stamp().generation == generation",
        "mutex-death",
    ),
    plant(
        "generation-not-counted",
        SLOT,
        "generation.wrapping_add(1).max(1)",
        "generation.max(1)",
        "mutex-slot",
    ),
];
