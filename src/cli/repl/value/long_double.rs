//! The 80-bit floating point of x86 as a decimal number.
//!
//! Owns the conversion: the shortest digits that no other such number is nearer to.

/// A `long double`'s ten bytes as text.
pub fn text(bytes: &[u8]) -> Option<String> {
    let mantissa = u64::from_le_bytes(bytes.get(..8)?.try_into().ok()?);
    let top = u16::from_le_bytes(bytes.get(8..10)?.try_into().ok()?);
    let (negative, exponent) = (top >> 15 != 0, i32::from(top & 0x7fff));
    let sign = if negative { "-" } else { "" };
    if exponent == 0x7fff {
        let is_infinite = mantissa << 1 == 0;
        return Some(if is_infinite { format!("{sign}inf") } else { "nan".to_owned() });
    }
    if mantissa == 0 {
        return Some(format!("{sign}0.0"));
    }
    // The value is mantissa * 2^power.
    let power = exponent.max(1) - 16383 - 63;
    // Twice as fine, so that the middles to the neighbours are numbers, too.
    let exact = Decimal::new(u128::from(mantissa) * 2, power - 1);
    let low = Decimal::new(u128::from(mantissa) * 2 - 1, power - 1);
    let high = Decimal::new(u128::from(mantissa) * 2 + 1, power - 1);
    let shortest =
        (1..=21).map(|digits| exact.rounded(digits)).find(|one| low.is_less(one) && one.is_less(&high));
    Some(format!("{sign}{}", shortest.unwrap_or(exact).render()))
}

/// 0.d1d2d3... * 10^point, the first digit not zero.
#[derive(Clone)]
struct Decimal {
    digits: Vec<u8>,
    point: i32,
}

impl Decimal {
    /// All digits of number * 2^power.
    fn new(number: u128, power: i32) -> Self {
        // Limbs of nine digits, the lowest first.
        const BASE: u64 = 1_000_000_000;
        let mut limbs: Vec<u64> = Vec::new();
        let mut rest = number;
        while rest > 0 {
            limbs.push((rest % u128::from(BASE)) as u64);
            rest /= u128::from(BASE);
        }
        // Each halving is a multiplication by five and a digit more behind the point.
        let (factor, mut count) = if power >= 0 { (2u64, power) } else { (5, -power) };
        while count > 0 {
            let step = count.min(12);
            let (by, mut carry) = (factor.pow(step as u32), 0);
            for limb in &mut limbs {
                let product = *limb * by + carry;
                *limb = product % BASE;
                carry = product / BASE;
            }
            if carry > 0 {
                limbs.push(carry);
            }
            count -= step;
        }
        let mut text = String::new();
        for (index, limb) in limbs.iter().rev().enumerate() {
            text.push_str(&if index == 0 { limb.to_string() } else { format!("{limb:09}") });
        }
        let point = text.len() as i32 + power.min(0);
        let digits = text.trim_end_matches('0').bytes().map(|digit| digit - b'0').collect();
        Self { digits, point }
    }

    /// The nearest one of so many digits.
    fn rounded(&self, count: usize) -> Self {
        let mut new = self.clone();
        new.digits.truncate(count);
        if self.digits.get(count).is_some_and(|digit| *digit >= 5) {
            let mut at = count;
            loop {
                if at == 0 {
                    new.digits.insert(0, 1);
                    new.point += 1;
                    break;
                }
                at -= 1;
                if new.digits[at] < 9 {
                    new.digits[at] += 1;
                    break;
                }
                new.digits[at] = 0;
            }
        }
        while new.digits.last() == Some(&0) {
            new.digits.pop();
        }
        new
    }

    fn is_less(&self, other: &Self) -> bool {
        (self.point, &self.digits) < (other.point, &other.digits)
    }

    /// In the form that other floating-point numbers have.
    fn render(&self) -> String {
        let digits: String = self.digits.iter().map(|digit| char::from(digit + b'0')).collect();
        let point = self.point;
        if (-4..=16).contains(&point) {
            return match usize::try_from(point) {
                Ok(point) if point >= digits.len() => format!("{digits:0<point$}.0"),
                Ok(point @ 1..) => format!("{}.{}", &digits[..point], &digits[point..]),
                _ => format!("0.{}{digits}", "0".repeat(point.unsigned_abs() as usize)),
            };
        }
        let (first, rest) = digits.split_at(1);
        let rest = if rest.is_empty() { String::new() } else { format!(".{rest}") };
        format!("{first}{rest}e{:+}", point - 1)
    }
}
