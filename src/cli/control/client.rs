//! `hotslot ctl`: asks a program and prints the answer.
//!
//! Owns how it is found, what is said when it is not, and the exit codes. How an answer looks is
//! in `readable.rs`.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use super::super::failure::Failure;
use super::options::{CtlAction, CtlOptions};
use super::protocol::{Answer, Ask, Replacement, Reply, Request, VERSION};
use super::{readable, socket};

/// It was refused, or nobody is there.
const REFUSED: u8 = 1;
/// The request is not understood, or names what is not there.
pub const SENSELESS: u8 = 2;

/// Asks, prints and says by the exit code how it went.
pub fn run(options: &CtlOptions) -> Result<ExitCode, Failure> {
    let ask = match ask(&options.action) {
        Ok(ask) => ask,
        Err(failure) => {
            // Nobody is left to tell when stderr itself is gone.
            let _ = std::io::stderr().write_all(failure.render().as_bytes());
            return Ok(ExitCode::from(SENSELESS));
        }
    };
    let mut stream = connect(&options.socket)?;
    let name = options.socket.display();
    stream
        .set_read_timeout(options.timeout.map(|ms| Duration::from_millis(ms.max(1))))
        .map_err(|e| lost(&name, &e))?;
    let request = Request { version: VERSION, id: None, ask };
    let mut line = serde_json::to_string(&request).map_err(|e| Failure::new(format!("the request: {e}")))?;
    line.push('\n');
    stream.write_all(line.as_bytes()).map_err(|error| lost(&name, &error))?;
    let mut answer = String::new();
    match BufReader::new(stream).read_line(&mut answer) {
        Ok(0) => {
            return Err(Failure::new(format!("{name}: the program ended before it answered")));
        }
        Ok(_) => {}
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            let ms = options.timeout.unwrap_or_default();
            return Err(Failure::new(format!("{name}: no answer within {ms} ms"))
                .hint("the program may still be starting, or the update may wait for its safe point"));
        }
        Err(error) => return Err(lost(&name, &error)),
    }
    let reply: Reply = serde_json::from_str(&answer).map_err(|error| {
        Failure::new(format!("{name}: this is no answer of hotslot's: {error}"))
            .hint("something else may listen there, or another version of hotslot")
    })?;
    let text = if options.json { answer } else { readable::text(&reply.answer) };
    let failed = |error| Failure::new(format!("stdout: {error}"));
    std::io::stdout().write_all(text.as_bytes()).map_err(failed)?;
    if !options.json {
        // Nobody is left to tell when stderr itself is gone.
        let _ = std::io::stderr().write_all(readable::complaint(&reply.answer).as_bytes());
    }
    Ok(code(&reply.answer))
}

fn code(answer: &Answer) -> ExitCode {
    match answer {
        Answer::Refused(_) | Answer::Told { ok: false, .. } => ExitCode::from(REFUSED),
        Answer::Failed(_) => ExitCode::from(SENSELESS),
        _ => ExitCode::SUCCESS,
    }
}

fn lost(name: &impl std::fmt::Display, error: &std::io::Error) -> Failure {
    Failure::new(format!("{name}: the connection was lost: {error}"))
}

fn connect(path: &Path) -> Result<UnixStream, Failure> {
    socket::check(path)?;
    let name = path.display();
    let error = match UnixStream::connect(path) {
        Ok(stream) => return Ok(stream),
        Err(error) => error,
    };
    let is_socket = || std::fs::metadata(path).is_ok_and(|data| data.file_type().is_socket());
    let hint = "start the program with `hotslot run --control PATH ...`";
    Err(match error.kind() {
        ErrorKind::NotFound => Failure::new(format!("{name}: there is no such socket")).hint(hint),
        ErrorKind::ConnectionRefused if is_socket() => {
            Failure::new(format!("{name}: nobody listens there any more: the program has ended")).hint(hint)
        }
        ErrorKind::ConnectionRefused => Failure::new(format!("{name}: this is not a socket")).hint(hint),
        ErrorKind::PermissionDenied => Failure::new(format!("{name}: the program is somebody else's")),
        _ => Failure::new(format!("{name}: {error}")),
    })
}

fn ask(action: &CtlAction) -> Result<Ask, Failure> {
    Ok(match action {
        CtlAction::Status => Ask::Status,
        CtlAction::History { module } => Ask::History { module: module.clone() },
        CtlAction::Swap { files } => {
            Ask::Swap { files: files.iter().map(|word| replacement(word)).collect::<Result<_, _>>()? }
        }
        CtlAction::Rollback { module, generation } => {
            Ask::Rollback { module: module.clone(), generation: *generation }
        }
        CtlAction::Pending => Ask::Pending,
        CtlAction::Reclaim => Ask::Reclaim,
        CtlAction::Rebuild { module } => Ask::Rebuild { module: module.clone() },
        CtlAction::Undo => Ask::Undo,
        CtlAction::Decide { decision } => Ask::Decide { decision: *decision },
        CtlAction::Quit => Ask::Quit,
    })
}

/// `FILE` or `MODULE=FILE`. The program may be in another folder than we are.
fn replacement(word: &str) -> Result<Replacement, Failure> {
    let (module, file) = match word.split_once('=') {
        // The name of a file may have one in it.
        Some((module, file)) if !Path::new(word).exists() => (Some(module.to_owned()), file),
        _ => (None, word),
    };
    let path = std::path::absolute(file).map_err(|error| Failure::new(format!("{file}: {error}")))?;
    if !path.exists() {
        return Err(Failure::new(format!("{file}: there is no such file")));
    }
    let file =
        path.to_str().ok_or_else(|| Failure::new(format!("{file}: its folder has no name in UTF-8")))?;
    Ok(Replacement { file: file.to_owned(), module })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_swap() {
        let place = tempfile::tempdir().unwrap();
        let (plain, odd) = (place.path().join("a.c"), place.path().join("x=y.c"));
        std::fs::write(&plain, "").unwrap();
        std::fs::write(&odd, "").unwrap();
        let plain = plain.to_str().unwrap();
        let found = replacement(plain).unwrap();
        assert_eq!((found.file.as_str(), found.module), (plain, None));
        let found = replacement(&format!("src/m.c={plain}")).unwrap();
        assert_eq!((found.file.as_str(), found.module.as_deref()), (plain, Some("src/m.c")));
        let found = replacement(odd.to_str().unwrap()).unwrap();
        assert_eq!((found.file.as_str(), found.module), (odd.to_str().unwrap(), None));
        assert!(
            replacement("m=nowhere.c").unwrap_err().render().contains("nowhere.c: there is no such file")
        );
    }
}
