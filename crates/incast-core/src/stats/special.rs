//! The two functions behind exact intervals: the incomplete gamma and the incomplete beta function.
//!
//! Both give the lower and the upper tail, each computed by itself where it is the smaller one, so that a tail of
//! 1e-300 keeps its digits. Series and continued fractions are those of any handbook (NIST Digital Library of
//! Mathematical Functions 8.11.4, 8.9.2, 8.17.22), evaluated by Lentz's method (W. Lentz, Applied Optics 15, 1976).
//! The factor in front is a difference of logarithms that nearly cancel when one parameter is 10^10: there
//! Stirling's series is taken apart by hand, as in algorithm 708 (A. DiDonato, A. Morris: ACM Trans. Math. Softw. 18,
//! 1992), of which is the fraction for large parameters, too.
//!
//! It knows nothing of losses: [`super::interval`] does. Parameters are positive and finite.

use std::f64::consts::PI;

/// Both tails of a distribution at one place; they sum to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tails {
    /// Probability of what is not above it.
    pub lower: f64,
    /// Probability of what is above it.
    pub upper: f64,
}

impl Tails {
    const ALL_ABOVE: Self = Self { lower: 0.0, upper: 1.0 };
    const ALL_BELOW: Self = Self { lower: 1.0, upper: 0.0 };

    fn of_lower(lower: f64) -> Self {
        Self { lower, upper: 1.0 - lower }
    }

    fn of_upper(upper: f64) -> Self {
        Self { lower: 1.0 - upper, upper }
    }
}

/// The regularised incomplete gamma functions P(a, x) and Q(a, x).
#[must_use]
pub fn gamma_tails(a: f64, x: f64) -> Tails {
    if x <= 0.0 {
        return Tails::ALL_ABOVE;
    }
    if x.is_infinite() {
        return Tails::ALL_BELOW;
    }
    let front = gamma_front(a, x);
    if x < a + 1.0 {
        let (mut sum, mut term, mut step) = (1.0 / a, 1.0 / a, a);
        for _ in 0..TERMS_MAX {
            step += 1.0;
            term *= x / step;
            sum += term;
            if term < sum * f64::EPSILON {
                break;
            }
        }
        Tails::of_lower((front * sum).min(1.0))
    } else {
        let fraction = lentz(x + 1.0 - a, |index| (-index * (index - a), x + 2.0 * index + 1.0 - a));
        Tails::of_upper((front / fraction).min(1.0))
    }
}

/// The regularised incomplete beta function of `x`, and what it lacks to 1; `y` is `1 - x`, which the caller knows
/// more exactly where `x` is near 1.
#[must_use]
pub fn beta_tails(a: f64, b: f64, x: f64, y: f64) -> Tails {
    if x <= 0.0 {
        return Tails::ALL_ABOVE;
    }
    if y <= 0.0 {
        return Tails::ALL_BELOW;
    }
    // With one of them 1 it is a power.
    if a.total_cmp(&1.0).is_eq() {
        return Tails { lower: -(b * ln_of(y, x)).exp_m1(), upper: (b * ln_of(y, x)).exp() };
    }
    if b.total_cmp(&1.0).is_eq() {
        return Tails { lower: (a * ln_of(x, y)).exp(), upper: -(a * ln_of(x, y)).exp_m1() };
    }
    let front = (a * ln_of(x, y) + b * ln_of(y, x) - ln_beta(a, b)).exp();
    let is_smooth = a > 1.0 && b > 1.0;
    // Below the mean the lower tail is the smaller one.
    if is_smooth && x <= a / (a + b) {
        Tails::of_lower((front * positive_fraction(a, b, x, y)).min(1.0))
    } else if is_smooth {
        Tails::of_upper((front * positive_fraction(b, a, y, x)).min(1.0))
    } else if x < (a + 1.0) / (a + b + 2.0) {
        Tails::of_lower((front * beta_fraction(a, b, x) / a).min(1.0))
    } else {
        Tails::of_upper((front * beta_fraction(b, a, y) / b).min(1.0))
    }
}

/// The continued fraction of algorithm 708 (its function `bfrac`), for parameters above 1 below the mean: its terms are
/// positive, so that nothing cancels where `x` is all but 1.
fn positive_fraction(a: f64, b: f64, x: f64, y: f64) -> f64 {
    // a - (a + b) x, without the difference of two numbers near a.
    let above = if x < y { a - (a + b) * x } else { (a + b) * y - b };
    let first = above + 1.0;
    let (ratio, step) = (b / a, 1.0 / a + 1.0);
    let (mut term, mut place, mut index) = (1.0, a + 1.0, 0.0);
    let (mut num, mut den, mut next_num, mut next_den) = (0.0, 1.0, 1.0, first / step);
    let mut found = step / first;
    for _ in 0..TERMS_MAX {
        index += 1.0;
        let part = index / a;
        let weight = index * (b - index) * x;
        let share = a / place;
        let alpha = term * (term + ratio) * share * share * (weight * x);
        let share = (part + 1.0) / (step + part + part);
        let beta = index + weight / place + share * (first + index * (1.0 + y));
        term = part + 1.0;
        place += 2.0;
        (num, next_num) = (next_num, alpha * num + beta * next_num);
        (den, next_den) = (next_den, alpha * den + beta * next_den);
        let before = std::mem::replace(&mut found, next_num / next_den);
        if (found - before).abs() <= 2.0 * f64::EPSILON * found {
            break;
        }
        // Only their ratio counts.
        (num, den, next_num, next_den) = (num / next_den, den / next_den, found, 1.0);
    }
    found
}

/// `ln x` where `y = 1 - x`.
fn ln_of(x: f64, y: f64) -> f64 {
    if y < 0.5 { (-y).ln_1p() } else { x.ln() }
}

/// The continued fraction of the incomplete beta function, both of its steps in one.
fn beta_fraction(a: f64, b: f64, x: f64) -> f64 {
    let (mut c, mut d) = (1.0, 1.0 / not_zero(1.0 - (a + b) * x / (a + 1.0)));
    let mut fraction = d;
    let mut index = 0.0;
    for _ in 0..TERMS_MAX {
        index += 1.0;
        let even = index * (b - index) * x / ((a + 2.0 * index - 1.0) * (a + 2.0 * index));
        d = 1.0 / not_zero(1.0 + even * d);
        c = not_zero(1.0 + even / c);
        fraction *= d * c;
        let odd = -(a + index) * (a + b + index) * x / ((a + 2.0 * index) * (a + 2.0 * index + 1.0));
        d = 1.0 / not_zero(1.0 + odd * d);
        c = not_zero(1.0 + odd / c);
        fraction *= d * c;
        if (d * c - 1.0).abs() < 2.0 * f64::EPSILON {
            break;
        }
    }
    fraction
}

/// `first + a1/(b1 + a2/(b2 + ...))` by Lentz's method.
fn lentz(first: f64, term: impl Fn(f64) -> (f64, f64)) -> f64 {
    let mut fraction = not_zero(first);
    let (mut c, mut d) = (fraction, 0.0);
    let mut index = 0.0;
    for _ in 0..TERMS_MAX {
        index += 1.0;
        let (a, b) = term(index);
        d = 1.0 / not_zero(b + a * d);
        c = not_zero(b + a / c);
        fraction *= c * d;
        if (c * d - 1.0).abs() < 2.0 * f64::EPSILON {
            break;
        }
    }
    fraction
}

fn not_zero(value: f64) -> f64 {
    if value.abs() < f64::MIN_POSITIVE { f64::MIN_POSITIVE } else { value }
}

/// `x^a e^-x / Gamma(a)`.
fn gamma_front(a: f64, x: f64) -> f64 {
    if a < STIRLING_FROM {
        return (a * x.ln() - x - ln_gamma(a)).exp();
    }
    // Around x = a everything large cancels: a (ln(x/a) + 1 - x/a) is what is left.
    let off = (x - a) / a;
    let exponent = if off.abs() < 0.5 { a * (off.ln_1p() - off) } else { a * (x / a).ln() - (x - a) };
    (exponent - stirling_rest(a)).exp() * (a / (2.0 * PI)).sqrt()
}

/// The logarithm of the beta function.
#[must_use]
pub fn ln_beta(a: f64, b: f64) -> f64 {
    let (small, large) = if a < b { (a, b) } else { (b, a) };
    if large < STIRLING_FROM {
        return ln_gamma(small) + ln_gamma(large) - ln_gamma(small + large);
    }
    let sum = small + large;
    // ln Gamma(large) - ln Gamma(sum), of which the leading terms cancel.
    let rest = small - (large - 0.5) * (small / large).ln_1p() + stirling_rest(large) - stirling_rest(sum);
    if small < STIRLING_FROM {
        ln_gamma(small) - small * sum.ln() + rest
    } else {
        // ln Gamma(small) - small ln(sum), likewise.
        let half = 0.5 * (2.0 * PI / small).ln();
        half - small - small * (large / small).ln_1p() + stirling_rest(small) + rest
    }
}

/// The logarithm of the gamma function, to some 15 digits.
#[must_use]
pub fn ln_gamma(a: f64) -> f64 {
    // Gamma(a) = Gamma(a + n) / (a (a+1) ... (a+n-1)), up to where Stirling's series is exact.
    let (mut a, mut product) = (a, 1.0);
    while a < STIRLING_FROM {
        product *= a;
        a += 1.0;
    }
    (a - 0.5) * a.ln() - a + 0.5 * (2.0 * PI).ln() + stirling_rest(a) - product.ln()
}

/// What Stirling's series adds to its leading terms (DLMF 5.11.1).
fn stirling_rest(a: f64) -> f64 {
    let square = 1.0 / (a * a);
    let terms = [1.0 / 12.0, -1.0 / 360.0, 1.0 / 1260.0, -1.0 / 1680.0, 1.0 / 1188.0, -691.0 / 360_360.0];
    terms.iter().rev().fold(0.0, |sum, term| sum * square + term) / a
}

/// From here on six terms of Stirling's series are exact to 1e-16.
const STIRLING_FROM: f64 = 15.0;
/// The fractions need some square root of the larger parameter: enough for 10^13 messages.
const TERMS_MAX: usize = 4_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, known: f64, part: f64) {
        assert!((found / known - 1.0).abs() < part, "{found:e} and not {known:e}");
    }

    #[test]
    fn logarithms_of_factorials_are_those_of_the_integers() {
        let mut factorial = 1.0_f64;
        for n in 1..30 {
            factorial *= f64::from(n);
            assert!((ln_gamma(f64::from(n) + 1.0) - factorial.ln()).abs() < 1e-13 * factorial.ln().max(1.0));
        }
        near(ln_gamma(0.5).exp(), PI.sqrt(), 1e-14);
        // B(a, b) = 1/(b C(a+b-1, a-1) ...): B(5, 3) = 4! 2! / 7!.
        near(ln_beta(5.0, 3.0).exp(), 48.0 / 5040.0, 1e-14);
        // B(2, b) = 1/(b (b + 1)), and B(1, b) = 1/b, where nothing may be lost to the size of b.
        for b in [20.0, 1e6, 1e12, 1e15] {
            near(ln_beta(2.0, b).exp(), 1.0 / (b * (b + 1.0)), 1e-13);
            near(ln_beta(b, 1.0).exp(), 1.0 / b, 1e-13);
        }
    }

    #[test]
    fn tails_of_the_gamma_function_are_those_of_poisson_counts() {
        // Q(k + 1, m) is the probability of at most k at a mean of m: sums by hand.
        for mean in [0.1_f64, 1.0, 7.5, 40.0, 300.0] {
            let (mut term, mut sum) = ((-mean).exp(), 0.0);
            for k in 0..60 {
                sum += term;
                let tails = gamma_tails(f64::from(k) + 1.0, mean);
                assert!((tails.upper - sum).abs() < 1e-13 * sum.max(1e-3), "{k} at {mean}: {tails:?}, {sum}");
                assert!((tails.lower + tails.upper - 1.0).abs() < 1e-14);
                term *= mean / (f64::from(k) + 1.0);
            }
        }
        // Far out, where the difference to 1 has no digits left: e^-700 is the probability of nothing.
        near(gamma_tails(1.0, 700.0).upper, (-700.0_f64).exp(), 1e-12);
    }

    #[test]
    fn tails_of_the_beta_function_are_those_of_binomial_counts() {
        for (n, p) in [(10_i32, 0.3_f64), (50, 0.02), (200, 0.5)] {
            let (mut term, mut below) = ((1.0 - p).powi(n), 0.0);
            for k in 0..n {
                below += term;
                // At most k of n: 1 - I_p(k + 1, n - k).
                let tails = beta_tails(f64::from(k) + 1.0, f64::from(n - k), p, 1.0 - p);
                assert!((tails.upper - below).abs() < 1e-13, "{k} of {n}: {tails:?}, {below}");
                term *= f64::from(n - k) / f64::from(k + 1) * p / (1.0 - p);
            }
        }
        // I_x(1, b) = 1 - (1 - x)^b: a million million messages, of which one in as many is lost.
        let (x, b) = (1e-12, 1e12);
        near(beta_tails(1.0, b, x, 1.0 - x).lower, -(-1.0_f64).exp_m1(), 1e-11);
        near(beta_tails(b, 1.0, 1.0 - x, x).lower, (-1.0_f64).exp(), 1e-11);
    }

    #[test]
    fn nothing_and_everything_have_their_tails() {
        assert_eq!(gamma_tails(3.0, 0.0), Tails::ALL_ABOVE);
        assert_eq!(gamma_tails(3.0, f64::INFINITY), Tails::ALL_BELOW);
        assert_eq!(beta_tails(3.0, 4.0, 0.0, 1.0), Tails::ALL_ABOVE);
        assert_eq!(beta_tails(3.0, 4.0, 1.0, 0.0), Tails::ALL_BELOW);
    }
}
