//! The line editor: colours, completion, history, more than one line.
