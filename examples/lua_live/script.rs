//! A Lua script that runs in a thread, driven through Lua's C interface.
#![allow(unsafe_code)] // Calls generated code, and is called by it.

use std::cell::Cell;
use std::ffi::{CString, c_char, c_int, c_void};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use hotslot::{Function, Runtime};

use crate::{Result, check};

/// The script. `show` is a function of ours: it prints a line and says whether to go on.
const SCRIPT: &str = r#"
local count, lines = 0, {}
repeat
  count = count + 1
  lines[count] = string.upper("the script never stops")
until not show(string.format("%3d  table of %2d  %s", count, #lines, lines[count]))
show("the table now: 1 = " .. lines[1] .. ", " .. count .. " = " .. lines[count])
"#;

/// The time between two lines.
const PAUSE: Duration = Duration::from_millis(200);

/// A `lua_State`, of which we know nothing.
enum Lua {}

/// The functions of Lua that we call. Handles: each leads to the newest version.
struct Api {
    new_state: Function<unsafe extern "C" fn() -> *mut Lua>,
    open_libraries: Function<unsafe extern "C" fn(*mut Lua)>,
    push_closure: Function<unsafe extern "C" fn(*mut Lua, *const c_void, c_int)>,
    push_boolean: Function<unsafe extern "C" fn(*mut Lua, c_int)>,
    set_global: Function<unsafe extern "C" fn(*mut Lua, *const c_char)>,
    load: Function<unsafe extern "C" fn(*mut Lua, *const c_char) -> c_int>,
    call: Function<unsafe extern "C" fn(*mut Lua, c_int, c_int, c_int, isize, *const c_void) -> c_int>,
    text: Function<unsafe extern "C" fn(*mut Lua, c_int, *mut usize) -> *const u8>,
    close: Function<unsafe extern "C" fn(*mut Lua)>,
}

/// A run of the script, and what `show` needs.
struct Session {
    api: Api,
    lines: mpsc::Sender<String>,
    stop: Arc<AtomicBool>,
}

thread_local! {
    /// The session that runs on this thread.
    static SESSION: Cell<*const Session> = const { Cell::new(std::ptr::null()) };
}

impl Session {
    fn new(runtime: &Runtime, lines: mpsc::Sender<String>, stop: Arc<AtomicBool>) -> Result<Self> {
        // SAFETY: the types are those of lua.h. Where Lua came as bitcode they are checked.
        let api = unsafe {
            Api {
                new_state: runtime.function("luaL_newstate")?,
                open_libraries: runtime.function("luaL_openlibs")?,
                push_closure: runtime.function("lua_pushcclosure")?,
                push_boolean: runtime.function("lua_pushboolean")?,
                set_global: runtime.function("lua_setglobal")?,
                load: runtime.function("luaL_loadstring")?,
                call: runtime.function("lua_pcallk")?,
                text: runtime.function("lua_tolstring")?,
                close: runtime.function("lua_close")?,
            }
        };
        Ok(Self { api, lines, stop })
    }

    /// Runs the script in a new state, from its first line to its end.
    fn run(&self) -> Result<()> {
        SESSION.set(self);
        let (api, script) = (&self.api, CString::new(SCRIPT)?);
        // SAFETY: Lua's C interface as its manual describes it, on one thread.
        unsafe {
            let lua = api.new_state.call();
            api.open_libraries.call(lua);
            api.push_closure.call(lua, show as *const c_void, 0);
            api.set_global.call(lua, c"show".as_ptr());
            let failed = api.load.call(lua, script.as_ptr()) != 0
                || api.call.call(lua, 0, 0, 0, 0, std::ptr::null()) != 0;
            let message = if failed { self.text(lua, -1) } else { String::new() };
            api.close.call(lua);
            check(!failed, || format!("the Lua script failed: {message}"))
        }
    }

    /// The string at `index` of Lua's stack.
    fn text(&self, lua: *mut Lua, index: c_int) -> String {
        let mut length = 0;
        // SAFETY: a live state; Lua returns null or a pointer to `length` bytes.
        let bytes = unsafe {
            let start = self.api.text.call(lua, index, &mut length);
            if start.is_null() { &[] } else { std::slice::from_raw_parts(start, length) }
        };
        String::from_utf8_lossy(bytes).into_owned()
    }
}

/// `show(line)` of the script: hands the line over, waits a little, says whether to go on.
extern "C" fn show(lua: *mut Lua) -> c_int {
    // SAFETY: Lua calls this on the thread of `Session::run`, during that call.
    let session = unsafe { &*SESSION.get() };
    let line = session.text(lua, 1);
    println!("  {line}");
    // Nobody listens any more when the other side has failed; then the script ends.
    let heard = session.lines.send(line).is_ok();
    thread::sleep(PAUSE);
    let go_on = heard && !session.stop.load(Ordering::Relaxed);
    // SAFETY: a C function may push what it returns.
    unsafe { session.api.push_boolean.call(lua, c_int::from(go_on)) };
    1
}

/// The running script, as the main thread sees it.
pub struct Script {
    thread: thread::JoinHandle<Result<()>>,
    lines: mpsc::Receiver<String>,
    stop: Arc<AtomicBool>,
    count: usize,
}

impl Script {
    pub fn start(runtime: &Runtime) -> Result<Self> {
        let (sender, lines) = mpsc::channel();
        let stop = Arc::new(AtomicBool::new(false));
        let session = Session::new(runtime, sender, stop.clone())?;
        Ok(Self { thread: thread::spawn(move || session.run()), lines, stop, count: 0 })
    }

    /// Waits for the next line, checks that the script counted on, and returns the line's text.
    pub fn next_line(&mut self) -> Result<String> {
        let line = self.lines.recv_timeout(Duration::from_secs(60))?;
        self.count += 1;
        let text = line.strip_prefix(&format!("{0:3}  table of {0:2}  ", self.count));
        Ok(text.ok_or_else(|| format!("the script lost count: {line}"))?.to_owned())
    }

    /// Lets the script end by itself and checks its last words: what its table holds.
    pub fn stop(self, first: &str, last: &str) -> Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.join().map_err(|_| "the script's thread died")?;
        ended?;
        let words = self.lines.try_iter().last().unwrap_or_default();
        check(words.contains(first) && words.contains(last), || "the script's table has changed".into())
    }
}
