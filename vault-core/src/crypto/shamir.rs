//! Shamir's secret sharing over GF(2⁸) with AES's polynomial x⁸+x⁴+x³+x+1 (A. Shamir, "How to share a secret", 1979).
//!
//! Every byte of the secret is the constant term of its own polynomial, whose other coefficients are uniformly random:
//! zero is as likely as any other value for the leading one too, or k-1 shares would rule secrets out
//! (RUSTSEC-2024-0398). Field arithmetic neither branches nor indexes on a value. A share is written as Vault writes
//! it: the y bytes, then x.

use crate::Secret;
use std::hint::black_box;

/// Why a secret was not split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSplit {
    /// The secret has no byte.
    #[error("the secret is empty")]
    Empty,
    /// Not 1 ≤ threshold ≤ shares.
    #[error("the threshold must be at least 1 and at most the number of shares")]
    Threshold,
}

/// Why shares cannot belong together. That they do belong together cannot be told from them: check what comes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidShares {
    /// There is no share.
    #[error("no share was given")]
    None,
    /// A share has fewer than two bytes, or not as many as the others.
    #[error("a share is too short, or shares differ in length")]
    Length,
    /// A share ends in a zero byte, where the secret itself would be.
    #[error("a share is malformed: its last byte is zero")]
    ZeroX,
    /// Two shares end in the same byte.
    #[error("the same share was given twice")]
    Duplicate,
}

/// Splits `secret` so that any `threshold` of `shares` shares give it back and fewer tell nothing but its length.
/// `fill_random` must be fit for keys. Share i has x = i, counted from one.
pub fn split(
    secret: &[u8],
    shares: u8,
    threshold: u8,
    fill_random: &mut dyn FnMut(&mut [u8]),
) -> Result<Vec<Secret<Vec<u8>>>, InvalidSplit> {
    if secret.is_empty() {
        return Err(InvalidSplit::Empty);
    }
    if threshold == 0 || threshold > shares {
        return Err(InvalidSplit::Threshold);
    }
    let degree = usize::from(threshold - 1);
    let mut random = Secret::new(vec![0; degree * secret.len()]);
    fill_random(random.expose_mut());
    // One coefficient of every byte's polynomial after the other, the secret first.
    let coefficients: Vec<&[u8]> =
        [secret].into_iter().chain(random.expose().chunks_exact(secret.len())).collect();
    Ok((1..=shares).map(|x| share_at(x, &coefficients)).collect())
}

/// Evaluates the polynomials at x (Horner's rule) and appends x.
fn share_at(x: u8, coefficients: &[&[u8]]) -> Secret<Vec<u8>> {
    let length = coefficients[0].len();
    // Allocated whole, because a vector that grows leaves its bytes behind.
    let mut share = Secret::new(vec![0; length + 1]);
    let (ys, last) = share.expose_mut().split_at_mut(length);
    for row in coefficients.iter().rev() {
        ys.iter_mut().zip(*row).for_each(|(y, coefficient)| *y = mul(*y, x) ^ coefficient);
    }
    last.fill(x);
    share
}

/// Puts shares together. Any set of at least the threshold gives the secret; any other set, or a wrong share among
/// them, gives bytes that mean nothing, so the caller checks the result against something it knows.
pub fn combine(shares: &[&[u8]]) -> Result<Secret<Vec<u8>>, InvalidShares> {
    let length = shares.first().ok_or(InvalidShares::None)?.len();
    if length < 2 || shares.iter().any(|share| share.len() != length) {
        return Err(InvalidShares::Length);
    }
    let xs: Vec<u8> = shares.iter().map(|share| share[length - 1]).collect();
    check_xs(&xs)?;
    let mut secret = Secret::new(vec![0; length - 1]);
    for (i, share) in shares.iter().enumerate() {
        let weight = weight_at_zero(i, &xs);
        secret.expose_mut().iter_mut().zip(*share).for_each(|(byte, y)| *byte ^= mul(*y, weight));
    }
    Ok(secret)
}

/// The x are not secret: they say which share, not what is in it.
fn check_xs(xs: &[u8]) -> Result<(), InvalidShares> {
    let mut seen = [false; 256];
    for x in xs {
        if *x == 0 {
            return Err(InvalidShares::ZeroX);
        }
        if std::mem::replace(&mut seen[usize::from(*x)], true) {
            return Err(InvalidShares::Duplicate);
        }
    }
    Ok(())
}

/// Lagrange's basis polynomial i at zero: the product of x_j / (x_j - x_i) over j ≠ i.
fn weight_at_zero(i: usize, xs: &[u8]) -> u8 {
    let others = || xs.iter().enumerate().filter(|(j, _)| *j != i).map(|(_, x)| *x);
    let above = others().fold(1, mul);
    let below = others().fold(1, |product, x| mul(product, x ^ xs[i]));
    mul(above, invert(below))
}

/// Product in GF(2⁸), always in eight equal steps. `black_box` keeps the compiler from turning a mask into a branch.
fn mul(a: u8, b: u8) -> u8 {
    let (mut a, mut product) = (a, 0);
    for bit in 0..8 {
        product ^= a & black_box(((b >> bit) & 1).wrapping_neg());
        a = (a << 1) ^ (0x1b & black_box((a >> 7).wrapping_neg()));
    }
    product
}

/// a⁻¹ = a²⁵⁴ = a² · a⁴ · … · a¹²⁸; zero stays zero.
fn invert(a: u8) -> u8 {
    let mut square = a;
    (1..8).fold(1, |product, _| {
        square = mul(square, square);
        mul(product, square)
    })
}

#[cfg(test)]
mod tests;
