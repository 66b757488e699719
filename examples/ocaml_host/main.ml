(* A host in OCaml: loads textual IR, calls it, swaps it, and survives its crash.

     ./x capi /tmp/hotslot
     cd examples/ocaml_host
     ocamlopt -ccopt "-I/tmp/hotslot/include -L/tmp/hotslot/lib -Wl,-rpath,/tmp/hotslot/lib" \
       -ccopt -rdynamic stubs.c main.ml -cclib -lhotslot -o shape && ./shape

   Checked with OCaml 4.13. The binding to C is stubs.c. *)

type runtime

external runtime : unit -> runtime = "host_runtime"
external put : runtime -> string -> string -> bool -> string = "host_put"
external call : runtime -> string -> int -> int = "host_call"

let first = "define i64 @area(i64 %side) { %a = mul i64 %side, %side ret i64 %a }"
let second = "define i64 @area(i64 %side) { %a = mul i64 %side, 3 ret i64 %a }"

let broken =
  {|@nowhere = global ptr null
    define i64 @area(i64 %side) {
      %p = load volatile ptr, ptr @nowhere
      %a = load volatile i64, ptr %p
      ret i64 %a
    }|}

let () =
  let rt = runtime () in
  ignore (put rt "shape" first false);
  Printf.printf "area 5 is %d\n%!" (call rt "area" 5);
  ignore (put rt "shape" second true);
  Printf.printf "area 5 is %d now\n%!" (call rt "area" 5);
  ignore (put rt "shape" broken true);
  (try ignore (call rt "area" 5)
   with Failure why -> Printf.printf "it crashed: %s\n%!" why);
  Printf.printf "area 5 is %d again\n%!" (call rt "area" 5)
