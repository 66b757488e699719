//! What an input is made of: whether it is complete, its items, what they define and use.
