//! What a session consists of, in a file that outlives its process.
//!
//! Owns the file's form: records, one a line, each of which says how a list becomes the next one.
//! A record that was not written to its end does not count. Does not know what the list is of.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The list's entries are told apart by address: whoever changes one makes a new one.
pub struct Journal<T> {
    file: File,
    last: Vec<Arc<T>>,
}

/// How the list has changed: what is between its first `front` entries and its last `back` ones.
#[derive(Serialize, Deserialize)]
struct Record<E> {
    front: usize,
    back: usize,
    middle: Vec<E>,
}

impl<T: Serialize + DeserializeOwned> Journal<T> {
    /// The journal in `file`, and the list as it was when that was last written.
    pub fn open(mut file: File) -> io::Result<(Self, Vec<Arc<T>>)> {
        file.seek(SeekFrom::Start(0))?;
        let mut list: Vec<Arc<T>> = Vec::new();
        let (mut reader, mut line, mut whole) = (BufReader::new(&file), Vec::new(), 0);
        while reader.read_until(b'\n', &mut line)? > 0 {
            let record: Option<Record<T>> =
                line.ends_with(b"\n").then(|| serde_json::from_slice(&line).ok()).flatten();
            let Some(Record { front, back, middle }) = record else { break };
            if front + back > list.len() {
                break;
            }
            list.splice(front..list.len() - back, middle.into_iter().map(Arc::new));
            whole += line.len() as u64;
            line.clear();
        }
        drop(reader);
        // What was begun behind the last whole record is written over.
        file.set_len(whole)?;
        file.seek(SeekFrom::Start(whole))?;
        Ok((Self { file, last: list.clone() }, list))
    }

    /// Notes the list as it is now.
    pub fn write(&mut self, list: &[Arc<T>]) -> io::Result<()> {
        let same = |(a, b): &(&Arc<T>, &Arc<T>)| Arc::ptr_eq(a, b);
        let front = self.last.iter().zip(list).take_while(same).count();
        let (old, new) = (&self.last[front..], &list[front..]);
        let back = old.iter().rev().zip(new.iter().rev()).take_while(same).count();
        if old.len() == back && new.len() == back {
            return Ok(());
        }
        let middle = new[..new.len() - back].iter().map(|entry| &**entry).collect::<Vec<&T>>();
        let mut line = serde_json::to_vec(&Record { front, back, middle })?;
        line.push(b'\n');
        self.file.write_all(&line)?;
        self.last = list.to_vec();
        Ok(())
    }
}

/// A new file for a journal.
pub fn new_file() -> io::Result<File> {
    tempfile::tempfile()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(list: &[Arc<String>]) -> Vec<&str> {
        list.iter().map(|text| text.as_str()).collect()
    }

    #[test]
    fn the_list_comes_back_as_it_was_last() {
        let file = new_file().unwrap();
        let (mut journal, list) = Journal::<String>::open(file.try_clone().unwrap()).unwrap();
        assert!(list.is_empty());
        let mut random = fastrand::Rng::with_seed(4);
        let mut list: Vec<Arc<String>> = Vec::new();
        for step in 0..300 {
            match random.u8(..4) {
                0 if !list.is_empty() => drop(list.remove(random.usize(..list.len()))),
                1 if !list.is_empty() => {
                    let at = random.usize(..list.len());
                    list[at] = Arc::new(format!("again\n{step}"));
                }
                2 => list.truncate(list.len().saturating_sub(2)),
                _ => list.insert(random.usize(..=list.len()), Arc::new(format!("new {step}"))),
            }
            journal.write(&list).unwrap();
            let (_, read) = Journal::<String>::open(file.try_clone().unwrap()).unwrap();
            assert_eq!(texts(&read), texts(&list));
        }
    }

    #[test]
    fn a_record_that_was_cut_off_does_not_count() {
        let mut file = new_file().unwrap();
        let (mut journal, _) = Journal::<String>::open(file.try_clone().unwrap()).unwrap();
        journal.write(&[Arc::new("one".to_owned())]).unwrap();
        file.write_all(b"{\"front\":1,\"back\":0,\"mid").unwrap();
        let (mut journal, list) = Journal::<String>::open(file.try_clone().unwrap()).unwrap();
        assert_eq!(texts(&list), ["one"]);
        journal.write(&[list[0].clone(), Arc::new("two".to_owned())]).unwrap();
        let (_, list) = Journal::<String>::open(file).unwrap();
        assert_eq!(texts(&list), ["one", "two"]);
    }
}
