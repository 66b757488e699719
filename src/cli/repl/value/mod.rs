//! Values as text, by the types that debug information gives.
