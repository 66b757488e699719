//! Floating-point numbers of every format as the shortest decimal that reads back the same.
//!
//! Owns the formats and the digits, by exact arithmetic on [`Wide`] numbers: the same way for
//! half a word and for four. Deliberately does not know which type has which format.

use super::wide::Wide;

/// How a number is laid out in its bits, from the least significant: fraction, exponent, sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    /// Bits of the fraction that are stored.
    fraction: u32,
    exponent: u32,
    /// The bit in front of the fraction is stored too.
    whole: bool,
}

impl Format {
    pub const HALF: Self = Self { fraction: 10, exponent: 5, whole: false };
    pub const BRAIN: Self = Self { fraction: 7, exponent: 8, whole: false };
    pub const SINGLE: Self = Self { fraction: 23, exponent: 8, whole: false };
    pub const DOUBLE: Self = Self { fraction: 52, exponent: 11, whole: false };
    /// That of the x87, 10 bytes.
    pub const EXTENDED: Self = Self { fraction: 64, exponent: 15, whole: true };
    pub const QUADRUPLE: Self = Self { fraction: 112, exponent: 15, whole: false };

    /// How many digits go in front of the point before an exponent is written, as C's `%g`
    /// with enough digits for the format.
    fn longest(self) -> i32 {
        match self.fraction {
            0..=52 => 16,
            53..=64 => 19,
            _ => 34,
        }
    }
}

/// The number in `bits` as C would write it: `0.1`, `1e+300`, `-0`, `inf`, `-nan`.
pub fn text(format: Format, bits: u128) -> String {
    let mask = |count: u32| (1u128 << count) - 1;
    let fraction = bits & mask(format.fraction);
    let exponent = (bits >> format.fraction & mask(format.exponent)) as i32;
    let sign = if bits >> (format.fraction + format.exponent) & 1 == 1 { "-" } else { "" };
    let bias = (1 << (format.exponent - 1)) - 1;
    // Bits behind the point.
    let precision = if format.whole { format.fraction - 1 } else { format.fraction };
    if exponent == mask(format.exponent) as i32 {
        let rest = fraction & mask(precision);
        return format!("{sign}{}", if rest == 0 { "inf" } else { "nan" });
    }
    let (mantissa, power) = match exponent {
        0 => (fraction, 1 - bias - precision as i32),
        _ if format.whole => (fraction, exponent - bias - precision as i32),
        _ => (fraction | 1 << precision, exponent - bias - precision as i32),
    };
    if mantissa == 0 {
        return format!("{sign}0");
    }
    // The next smaller number is nearer where the exponent changes.
    let edge = mantissa == 1 << precision && exponent > 1;
    let (digits, point) = digits(mantissa, power, edge);
    format!("{sign}{}", written(&digits, point, format.longest()))
}

/// The fewest digits that are nearer to `mantissa * 2^power` than to its neighbours, and how
/// many of them are in front of the point (Steele and White, Dybvig).
fn digits(mantissa: u128, power: i32, edge: bool) -> (Vec<u8>, i32) {
    let even = mantissa.is_multiple_of(2);
    let mantissa = Wide::from_le_bytes(&mantissa.to_le_bytes());
    let one = || Wide::from_le_bytes(&[1]);
    let edge = u32::from(edge);
    let (up, down) = (power.max(0) as u32, (-power).max(0) as u32);
    let bits = mantissa.bits() as i32;
    // The number is `rest / scale`, half the way to its neighbours `above / scale` and `below / scale`.
    let mut rest = mantissa.shifted_left(up + 1 + edge);
    let mut scale = one().shifted_left(down + 1 + edge);
    let mut above = one().shifted_left(up + edge);
    let mut below = one().shifted_left(up);
    // At most one too small.
    let mut point = (f64::from(bits + power - 1) * std::f64::consts::LOG10_2 - 1e-10).ceil() as i32;
    if point > 0 {
        scale = scale.times_ten_to(point as u32);
    } else {
        let factor = point.unsigned_abs();
        rest = rest.times_ten_to(factor);
        above = above.times_ten_to(factor);
        below = below.times_ten_to(factor);
    }
    let reaches = |sum: &Wide, scale: &Wide| if even { sum >= scale } else { sum > scale };
    if reaches(&rest.plus(&above), &scale) {
        point += 1;
    } else {
        (rest, above, below) = (rest.times(10), above.times(10), below.times(10));
    }
    let mut digits = Vec::new();
    loop {
        let mut digit = 0;
        while rest >= scale {
            rest.subtract(&scale);
            digit += 1;
        }
        let low = if even { rest <= below } else { rest < below };
        let high = reaches(&rest.plus(&above), &scale);
        if low || high {
            let twice = rest.plus(&rest);
            let up = high && (!low || twice > scale || twice == scale && digit % 2 == 1);
            digits.push(digit + u8::from(up));
            return (digits, point);
        }
        digits.push(digit);
        (rest, above, below) = (rest.times(10), above.times(10), below.times(10));
    }
}

fn written(digits: &[u8], point: i32, longest: i32) -> String {
    let text: String = digits.iter().map(|digit| char::from(b'0' + digit)).collect();
    let count = digits.len() as i32;
    match point {
        _ if point > longest || point < -3 => {
            let (first, rest) = text.split_at(1);
            let dot = if rest.is_empty() { "" } else { "." };
            let exponent = point - 1;
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{first}{dot}{rest}e{sign}{:02}", exponent.abs())
        }
        _ if point <= 0 => format!("0.{}{text}", "0".repeat(point.unsigned_abs() as usize)),
        _ if point >= count => text + &"0".repeat((point - count) as usize),
        _ => format!("{}.{}", &text[..point as usize], &text[point as usize..]),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Format, text};

    fn double(value: f64) -> String {
        text(Format::DOUBLE, u128::from(value.to_bits()))
    }

    #[test]
    fn doubles() {
        for (value, expected) in [
            (0.1, "0.1"),
            (3.0, "3"),
            (-0.0, "-0"),
            (1e300, "1e+300"),
            (1e16, "1e+16"),
            (1e15, "1000000000000000"),
            (123456.75, "123456.75"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            (f64::MIN_POSITIVE, "2.2250738585072014e-308"),
            (9007199254740993.0, "9007199254740992"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "nan"),
            (-f64::NAN, "-nan"),
        ] {
            assert_eq!(double(value), expected);
        }
    }

    #[test]
    fn the_other_formats() {
        assert_eq!(text(Format::HALF, 0x3c00), "1");
        assert_eq!(text(Format::HALF, 0x2e66), "0.1");
        assert_eq!(text(Format::HALF, 0x7bff), "65500");
        assert_eq!(text(Format::BRAIN, 0x3dcd), "0.1");
        // 0.1L, the largest and the smallest number.
        assert_eq!(text(Format::EXTENDED, 0x3ffb_cccc_cccc_cccc_cccd), "0.1");
        assert_eq!(text(Format::EXTENDED, 0x7ffe_ffff_ffff_ffff_ffff), "1.189731495357231765e+4932");
        assert_eq!(text(Format::EXTENDED, 1), "4e-4951");
        assert_eq!(text(Format::EXTENDED, 0x7fff_8000_0000_0000_0000), "inf");
        assert_eq!(text(Format::EXTENDED, 0xffff_c000_0000_0000_0000), "-nan");
        assert_eq!(text(Format::QUADRUPLE, 0x3fff << 112), "1");
    }

    proptest! {
        #[test]
        fn as_short_as_those_of_the_standard_library(bits: u64, single: u32) {
            let value = f64::from_bits(bits);
            if !value.is_nan() {
                let ours = double(value);
                prop_assert_eq!(ours.parse::<f64>().unwrap().to_bits(), bits);
                let count = |text: &str| {
                    let text = text.split('e').next().unwrap_or_default().replace(['.', '-'], "");
                    text.trim_matches('0').len()
                };
                prop_assert_eq!(count(&ours), count(&format!("{value:e}")));
            }
            let value = f32::from_bits(single);
            if !value.is_nan() {
                let ours = text(Format::SINGLE, u128::from(single));
                prop_assert_eq!(ours.parse::<f32>().unwrap().to_bits(), single);
            }
        }
    }
}
