//! Brings files to disk, the ways that editors do.
//!
//! A save must not be half visible for longer than the session waits for more, whatever the
//! machine is busy with: all new content lies ready beside the folder before the first rename.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use super::step::{Files, Save};

/// Writes all files into an empty folder.
pub fn lay_out(folder: &Path, files: &Files) {
    for (path, text) in files {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

/// Makes a folder that holds `before` hold `after`. What is prepared goes to `aside`, a folder on
/// the same file system.
pub fn save(folder: &Path, aside: &Path, before: &Files, after: &Files, how: Save) {
    let differs = |path: &&String| before.get(*path) != after.get(*path);
    let written: Vec<&String> = after.keys().filter(differs).collect();
    // An editor saves also where nothing was changed; then it is the first source of all.
    let written = match before == after {
        true => after.keys().find(|path| path.ends_with(".c")).into_iter().collect(),
        false => written,
    };
    match how {
        Save::Rename => {
            for (number, path) in written.iter().enumerate() {
                fs::write(aside.join(number.to_string()), &after[*path]).unwrap();
                fs::create_dir_all(folder.join(path).parent().unwrap()).unwrap();
            }
            for (number, path) in written.iter().enumerate() {
                fs::rename(aside.join(number.to_string()), folder.join(path)).unwrap();
            }
        }
        _ => written.iter().for_each(|path| write(&folder.join(path), &after[*path], how)),
    }
    for path in before.keys().filter(|path| !after.contains_key(*path)) {
        fs::remove_file(folder.join(path)).unwrap();
    }
}

fn write(path: &Path, text: &str, how: Save) {
    let half = &text[..(0..=text.len() / 2).rev().find(|&at| text.is_char_boundary(at)).unwrap()];
    match how {
        Save::Backup => {
            let mut old = path.as_os_str().to_owned();
            old.push("~");
            if path.exists() {
                fs::rename(path, &old).unwrap();
            }
            fs::write(path, text).unwrap();
            let _ = fs::remove_file(old);
        }
        Save::Slowly => {
            let mut file = fs::File::create(path).unwrap();
            file.write_all(half.as_bytes()).unwrap();
            file.sync_all().unwrap();
            file.write_all(&text.as_bytes()[half.len()..]).unwrap();
        }
        Save::Often => {
            for text in [half, text, half, text, half, text] {
                fs::write(path, text).unwrap();
            }
        }
        Save::Over | Save::Rename => {
            let old = fs::metadata(path).map_or(0, |data| data.len());
            assert!(text.len() as u64 >= old, "{}: nothing may be cut off in one write", path.display());
            let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(path).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        }
    }
}
