//! A host in Zig: loads textual IR, calls it, swaps it, and survives its crash.
//!
//!     ./x capi /tmp/hotslot
//!     cd examples/zig_host
//!     zig translate-c -lc /tmp/hotslot/include/hotslot.h > hotslot.zig
//!     zig run -lc -L /tmp/hotslot/lib -lhotslot -rpath /tmp/hotslot/lib -rdynamic main.zig
//!
//! Checked with Zig 0.17.

const std = @import("std");
const c = @import("hotslot.zig");

const first = "define i64 @area(i64 %side) { %a = mul i64 %side, %side ret i64 %a }";
const second = "define i64 @area(i64 %side) { %a = mul i64 %side, 3 ret i64 %a }";
const broken =
    \\@nowhere = global ptr null
    \\define i64 @area(i64 %side) {
    \\  %p = load volatile ptr, ptr @nowhere
    \\  %a = load volatile i64, ptr %p
    \\  ret i64 %a
    \\}
;

const Failed = error{Hotslot};

/// Says what failed.
fn check(code: c.hotslot_code, failed: ?*c.hotslot_error) Failed!void {
    if (code == c.HOTSLOT_CODE_OK) return;
    std.debug.print("{s}\n", .{std.mem.span(c.hotslot_error_text(failed))});
    c.hotslot_error_free(failed);
    return Failed.Hotslot;
}

fn source(text: []const u8) c.hotslot_source {
    var it: c.hotslot_source = undefined;
    c.hotslot_init(&it, @sizeOf(c.hotslot_source));
    it.kind = c.HOTSLOT_SOURCE_IR;
    it.bytes = text.ptr;
    it.length = text.len;
    return it;
}

const Area = *const fn (i64) callconv(.c) i64;

/// What goes through a guarded call.
const Call = struct { function: Area, argument: i64, result: i64 = 0 };

fn perform(data: ?*anyopaque) callconv(.c) void {
    const call: *Call = @ptrCast(@alignCast(data));
    call.result = call.function(call.argument);
}

pub fn main() Failed!void {
    var runtime: ?*c.hotslot_runtime = null;
    var failed: ?*c.hotslot_error = null;
    try check(c.hotslot_runtime_new(null, &runtime, &failed), failed);
    defer c.hotslot_runtime_free(runtime);

    var code = source(first);
    try check(c.hotslot_load(runtime, "shape", &code, null, &failed), failed);
    const address = c.hotslot_function(runtime, "area", "i64 (i64)", &failed);
    if (address == null) try check(c.hotslot_error_code(failed), failed);
    const area: Area = @ptrCast(address.?);
    std.debug.print("area(5) is {d}\n", .{area(5)});

    code = source(second);
    try check(c.hotslot_replace(runtime, "shape", &code, null, &failed), failed);
    std.debug.print("area(5) is {d} now\n", .{area(5)});

    code = source(broken);
    try check(c.hotslot_replace(runtime, "shape", &code, null, &failed), failed);
    var call = Call{ .function = area, .argument = 5 };
    if (c.hotslot_call_guarded(runtime, perform, &call, null, &failed) != c.HOTSLOT_CODE_OK) {
        std.debug.print("it crashed: {s}\n", .{std.mem.span(c.hotslot_error_message(failed))});
        var report: [*c]u8 = null;
        try check(c.hotslot_undo_cause(runtime, failed, &report, null), null);
        c.hotslot_string_free(report);
        c.hotslot_error_free(failed);
    }
    std.debug.print("area(5) is {d} again\n", .{area(5)});
}
