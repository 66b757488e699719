//! Natural numbers of any size, as little of them as decimal digits need.
//!
//! Deliberately knows nothing of what the numbers stand for.

use std::cmp::Ordering;

/// A natural number: 32 bits a digit, the least significant first, no leading zeros.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wide(Vec<u32>);

impl Wide {
    pub fn from_le_bytes(bytes: &[u8]) -> Self {
        let digit = |chunk: &[u8]| {
            let mut digit = [0; 4];
            digit[..chunk.len()].copy_from_slice(chunk);
            u32::from_le_bytes(digit)
        };
        let mut number = Self(bytes.chunks(4).map(digit).collect());
        number.trim();
        number
    }

    pub fn is_zero(&self) -> bool {
        self.0.is_empty()
    }

    /// How many bits it takes.
    pub fn bits(&self) -> u32 {
        let last = self.0.last().map_or(0, |digit| 32 - digit.leading_zeros());
        (self.0.len() as u32).saturating_sub(1) * 32 + last
    }

    pub fn shifted_left(mut self, bits: u32) -> Self {
        if self.is_zero() {
            return self;
        }
        let small = bits % 32;
        if small > 0 {
            let mut carry = 0;
            for digit in &mut self.0 {
                let next = *digit >> (32 - small);
                *digit = *digit << small | carry;
                carry = next;
            }
            self.0.push(carry);
        }
        self.0.splice(0..0, std::iter::repeat_n(0, (bits / 32) as usize));
        self.trim();
        self
    }

    pub fn times(mut self, factor: u32) -> Self {
        let mut carry = 0;
        for digit in &mut self.0 {
            let product = u64::from(*digit) * u64::from(factor) + carry;
            *digit = product as u32;
            carry = product >> 32;
        }
        self.0.push(carry as u32);
        self.trim();
        self
    }

    pub fn times_ten_to(mut self, mut power: u32) -> Self {
        while power >= 9 {
            self = self.times(1_000_000_000);
            power -= 9;
        }
        self.times(10u32.pow(power))
    }

    pub fn plus(&self, other: &Self) -> Self {
        let mut carry = 0;
        let length = self.0.len().max(other.0.len()) + 1;
        let at = |number: &Self, index: usize| u64::from(number.0.get(index).copied().unwrap_or(0));
        let digits = (0..length).map(|index| {
            let sum = at(self, index) + at(other, index) + carry;
            carry = sum >> 32;
            sum as u32
        });
        let mut sum = Self(digits.collect());
        sum.trim();
        sum
    }

    /// Takes a number that is not larger off it.
    pub fn subtract(&mut self, other: &Self) {
        let mut borrow = 0;
        for (index, digit) in self.0.iter_mut().enumerate() {
            let off = i64::from(other.0.get(index).copied().unwrap_or(0)) + borrow;
            let rest = i64::from(*digit) - off;
            borrow = i64::from(rest < 0);
            *digit = rest as u32;
        }
        self.trim();
    }

    /// Its decimal digits.
    pub fn decimal(mut self) -> String {
        let mut groups = Vec::new();
        while !self.is_zero() {
            let mut rest = 0;
            for digit in self.0.iter_mut().rev() {
                let value = rest << 32 | u64::from(*digit);
                *digit = (value / 1_000_000_000) as u32;
                rest = value % 1_000_000_000;
            }
            self.trim();
            groups.push(rest);
        }
        let Some(first) = groups.pop() else {
            return "0".to_owned();
        };
        groups.iter().rev().fold(first.to_string(), |text, group| text + &format!("{group:09}"))
    }

    fn trim(&mut self) {
        let length = self.0.iter().rposition(|&digit| digit != 0).map_or(0, |last| last + 1);
        self.0.truncate(length);
    }
}

impl Ord for Wide {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()))
    }
}

impl PartialOrd for Wide {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Wide;

    fn of(value: u128) -> Wide {
        Wide::from_le_bytes(&value.to_le_bytes())
    }

    proptest! {
        #[test]
        fn they_count_as_those_of_the_machine(a: u64, b: u64, factor: u32, bits in 0u32..64) {
            let (wide, narrow) = (u128::from(a), u128::from(b));
            prop_assert_eq!(of(wide).decimal(), a.to_string());
            prop_assert_eq!(of(wide).plus(&of(narrow)), of(wide + narrow));
            prop_assert_eq!(of(wide).times(factor), of(wide * u128::from(factor)));
            prop_assert_eq!(of(wide).shifted_left(bits), of(wide << bits));
            prop_assert_eq!(of(wide).cmp(&of(narrow)), a.cmp(&b));
            prop_assert_eq!(of(wide).bits(), 64 - a.leading_zeros());
            let mut difference = of(wide + narrow);
            difference.subtract(&of(narrow));
            prop_assert_eq!(difference, of(wide));
        }
    }

    #[test]
    fn more_than_the_machine_has() {
        let text = of(1).shifted_left(200).decimal();
        assert_eq!(text, "1606938044258990275541962092341162602522202993782792835301376");
        assert_eq!(of(7).times_ten_to(30).decimal(), format!("7{}", "0".repeat(30)));
    }
}
