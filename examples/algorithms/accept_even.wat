;; A trigger algorithm as a WebAssembly module: accepts events with an even number, for stream 0.
;;
;; What it exports, and what a question looks like in its memory, is described in docs/algorithms.md.
;; It can be run as it is, or after `wat2wasm accept_even.wat`.
(module
  ;; One page of 64 KiB to begin with. It grows with the events.
  (memory (export "memory") 1)

  ;; Room for a question of so many bytes: always from 1024 on, as only the last one is needed.
  (func (export "alloc") (param $bytes i32) (result i32)
    (local $pages i32)
    ;; The pages that 1024 + bytes fill, less those that are there.
    (local.set $pages
      (i32.sub
        (i32.shr_u (i32.add (local.get $bytes) (i32.const 66559)) (i32.const 16))
        (memory.size)))
    (if (i32.gt_s (local.get $pages) (i32.const 0))
      (then (drop (memory.grow (local.get $pages)))))
    (i32.const 1024))

  ;; About event `index` of the question. Its first event has its number at 16: behind the 8 bytes of the
  ;; question and the 8 of its own number.
  (func (export "judge") (param $at i32) (param $bytes i32) (param $index i32) (result i64)
    (if (result i64)
      (i64.eqz
        (i64.and
          (i64.add (i64.load offset=16 (local.get $at)) (i64.extend_i32_u (local.get $index)))
          (i64.const 1)))
      ;; 2^32 is "accept", 1 is stream 0.
      (then (i64.const 0x1_0000_0001))
      (else (i64.const 0)))))
