//! Numbers that look random and are the same in every run.

/// A small generator (xorshift); the seed is the test's own.
pub(crate) struct Rng(u64);

impl Rng {
    /// From a seed that is not 0.
    pub(crate) fn new(seed: u64) -> Rng {
        Rng(seed)
    }

    /// Below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}
