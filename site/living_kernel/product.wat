;; 矩阵乘法 C = 偏置 + A·B，用 128 位的 SIMD：引擎里唯一的热循环。
;;
;; A 是 rows×depth，B 是 depth×columns，C 是 rows×columns，都按行存放，float32；偏置每行一个。
;; 参数里的位置都以字节计。一次算 C 的 4 行 8 列：8 个累加器正好留在寄存器里。panel 是
;; 一块草稿，放得下 depth×8 个数再加 8 个：B 的 8 列先抄进去，内层循环读的就是连续的内存。
;;
;; 改了这个文件，运行 python tools/living/build_kernel.py（要 wabt 的 wat2wasm）。
(module
  (import "engine" "memory" (memory 1))

  ;; 把 B 从 from 开始的 width（1～8）列抄进 panel，不足 8 列的补 0。
  (func $pack (param $from i32) (param $panel i32) (param $depth i32)
              (param $stride i32) (param $width i32)
    (local $column i32)
    (loop $row
      (if (i32.eq (local.get $width) (i32.const 8))
        (then
          (v128.store (local.get $panel) (v128.load (local.get $from)))
          (v128.store offset=16 (local.get $panel) (v128.load offset=16 (local.get $from))))
        (else
          (v128.store (local.get $panel) (v128.const i32x4 0 0 0 0))
          (v128.store offset=16 (local.get $panel) (v128.const i32x4 0 0 0 0))
          (call $copy (local.get $panel) (local.get $from) (local.get $width))))
      (local.set $from (i32.add (local.get $from) (local.get $stride)))
      (local.set $panel (i32.add (local.get $panel) (i32.const 32)))
      (br_if $row (local.tee $depth (i32.sub (local.get $depth) (i32.const 1))))))

  ;; 抄 count 个数，一个一个地抄。
  (func $copy (param $to i32) (param $from i32) (param $count i32)
    (loop $next
      (f32.store (local.get $to) (f32.load (local.get $from)))
      (local.set $to (i32.add (local.get $to) (i32.const 4)))
      (local.set $from (i32.add (local.get $from) (i32.const 4)))
      (br_if $next (local.tee $count (i32.sub (local.get $count) (i32.const 1))))))

  ;; 写 C 的一行里的 width 个数；不足 8 个时先写进草稿，再抄前几个。
  (func $write (param $to i32) (param $left v128) (param $right v128)
               (param $width i32) (param $draft i32)
    (if (i32.eq (local.get $width) (i32.const 8))
      (then
        (v128.store (local.get $to) (local.get $left))
        (v128.store offset=16 (local.get $to) (local.get $right)))
      (else
        (v128.store (local.get $draft) (local.get $left))
        (v128.store offset=16 (local.get $draft) (local.get $right))
        (call $copy (local.get $to) (local.get $draft) (local.get $width)))))

  ;; 4 行 8 列。最后不足 4 行时，多出来的行指向前一行：算两遍，写两遍，结果相同。
  (func $block (param $a i32) (param $panel i32) (param $c i32) (param $bias i32)
               (param $depth i32) (param $stride i32) (param $left i32)
               (param $width i32) (param $draft i32)
    (local $step i32) (local $k i32)
    (local $a1 i32) (local $a2 i32) (local $a3 i32)
    (local $c1 i32) (local $c2 i32) (local $c3 i32)
    (local $b1 i32) (local $b2 i32) (local $b3 i32)
    (local $low v128) (local $high v128) (local $w v128)
    (local $s0 v128) (local $t0 v128) (local $s1 v128) (local $t1 v128)
    (local $s2 v128) (local $t2 v128) (local $s3 v128) (local $t3 v128)
    (local.set $step (i32.shl (local.get $depth) (i32.const 2)))
    (local.set $a1 (select (i32.add (local.get $a) (local.get $step)) (local.get $a)
                           (i32.gt_u (local.get $left) (i32.const 1))))
    (local.set $c1 (select (i32.add (local.get $c) (local.get $stride)) (local.get $c)
                           (i32.gt_u (local.get $left) (i32.const 1))))
    (local.set $b1 (select (i32.add (local.get $bias) (i32.const 4)) (local.get $bias)
                           (i32.gt_u (local.get $left) (i32.const 1))))
    (local.set $a2 (select (i32.add (local.get $a1) (local.get $step)) (local.get $a1)
                           (i32.gt_u (local.get $left) (i32.const 2))))
    (local.set $c2 (select (i32.add (local.get $c1) (local.get $stride)) (local.get $c1)
                           (i32.gt_u (local.get $left) (i32.const 2))))
    (local.set $b2 (select (i32.add (local.get $b1) (i32.const 4)) (local.get $b1)
                           (i32.gt_u (local.get $left) (i32.const 2))))
    (local.set $a3 (select (i32.add (local.get $a2) (local.get $step)) (local.get $a2)
                           (i32.gt_u (local.get $left) (i32.const 3))))
    (local.set $c3 (select (i32.add (local.get $c2) (local.get $stride)) (local.get $c2)
                           (i32.gt_u (local.get $left) (i32.const 3))))
    (local.set $b3 (select (i32.add (local.get $b2) (i32.const 4)) (local.get $b2)
                           (i32.gt_u (local.get $left) (i32.const 3))))
    (local.set $s0 (v128.load32_splat (local.get $bias)))
    (local.set $s1 (v128.load32_splat (local.get $b1)))
    (local.set $s2 (v128.load32_splat (local.get $b2)))
    (local.set $s3 (v128.load32_splat (local.get $b3)))
    (local.set $t0 (local.get $s0))
    (local.set $t1 (local.get $s1))
    (local.set $t2 (local.get $s2))
    (local.set $t3 (local.get $s3))
    (loop $next
      (local.set $low (v128.load (local.get $panel)))
      (local.set $high (v128.load offset=16 (local.get $panel)))
      (local.set $w (v128.load32_splat (i32.add (local.get $a) (local.get $k))))
      (local.set $s0 (f32x4.add (local.get $s0) (f32x4.mul (local.get $w) (local.get $low))))
      (local.set $t0 (f32x4.add (local.get $t0) (f32x4.mul (local.get $w) (local.get $high))))
      (local.set $w (v128.load32_splat (i32.add (local.get $a1) (local.get $k))))
      (local.set $s1 (f32x4.add (local.get $s1) (f32x4.mul (local.get $w) (local.get $low))))
      (local.set $t1 (f32x4.add (local.get $t1) (f32x4.mul (local.get $w) (local.get $high))))
      (local.set $w (v128.load32_splat (i32.add (local.get $a2) (local.get $k))))
      (local.set $s2 (f32x4.add (local.get $s2) (f32x4.mul (local.get $w) (local.get $low))))
      (local.set $t2 (f32x4.add (local.get $t2) (f32x4.mul (local.get $w) (local.get $high))))
      (local.set $w (v128.load32_splat (i32.add (local.get $a3) (local.get $k))))
      (local.set $s3 (f32x4.add (local.get $s3) (f32x4.mul (local.get $w) (local.get $low))))
      (local.set $t3 (f32x4.add (local.get $t3) (f32x4.mul (local.get $w) (local.get $high))))
      (local.set $panel (i32.add (local.get $panel) (i32.const 32)))
      (br_if $next (i32.lt_u (local.tee $k (i32.add (local.get $k) (i32.const 4)))
                             (local.get $step))))
    (call $write (local.get $c) (local.get $s0) (local.get $t0) (local.get $width) (local.get $draft))
    (call $write (local.get $c1) (local.get $s1) (local.get $t1) (local.get $width) (local.get $draft))
    (call $write (local.get $c2) (local.get $s2) (local.get $t2) (local.get $width) (local.get $draft))
    (call $write (local.get $c3) (local.get $s3) (local.get $t3) (local.get $width) (local.get $draft)))

  (func (export "product")
        (param $a i32) (param $b i32) (param $c i32) (param $bias i32) (param $panel i32)
        (param $rows i32) (param $depth i32) (param $columns i32)
    (local $stride i32) (local $draft i32) (local $from i32) (local $width i32)
    (local $i i32)
    (local.set $stride (i32.shl (local.get $columns) (i32.const 2)))
    (local.set $draft (i32.add (local.get $panel) (i32.shl (local.get $depth) (i32.const 5))))
    (loop $columns8
      (local.set $width (select (i32.const 8) (local.get $columns)
                                (i32.gt_u (local.get $columns) (i32.const 8))))
      (call $pack (i32.add (local.get $b) (local.get $from)) (local.get $panel)
                  (local.get $depth) (local.get $stride) (local.get $width))
      (local.set $i (i32.const 0))
      (loop $rows4
        (call $block
          (i32.add (local.get $a)
                   (i32.shl (i32.mul (local.get $i) (local.get $depth)) (i32.const 2)))
          (local.get $panel)
          (i32.add (i32.add (local.get $c) (local.get $from))
                   (i32.mul (local.get $i) (local.get $stride)))
          (i32.add (local.get $bias) (i32.shl (local.get $i) (i32.const 2)))
          (local.get $depth) (local.get $stride)
          (i32.sub (local.get $rows) (local.get $i)) (local.get $width) (local.get $draft))
        (br_if $rows4 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 4)))
                                (local.get $rows))))
      (local.set $from (i32.add (local.get $from) (i32.const 32)))
      (br_if $columns8 (local.tee $columns (i32.sub (local.get $columns) (local.get $width)))))))
