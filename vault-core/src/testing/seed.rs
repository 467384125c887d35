//! [`Seed`]: a small deterministic generator (`SplitMix64`, Steele, Lea and Flood 2014). Not for keys: for tests that
//! must replay from the number they print.

/// A stream of numbers that depends on nothing but where it started.
#[derive(Clone, Debug)]
pub struct Seed(u64);

impl Seed {
    /// Starts a stream.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `end`, which must not be zero. The bias is below 2⁻³² for the small ranges of tests.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.bits() % end as u64).unwrap_or(0)
    }

    /// True in `per_mille` of a thousand calls.
    pub fn chance(&mut self, per_mille: u16) -> bool {
        self.below(1_000) < usize::from(per_mille)
    }

    /// Sixteen bytes, fit for a revision or a boot id.
    pub fn id(&mut self) -> [u8; 16] {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&self.bits().to_be_bytes());
        id[8..].copy_from_slice(&self.bits().to_be_bytes());
        id
    }

    /// One of `items`, which must not be empty.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}
