import Glibc
struct Operation { 
  var execute: @convention(c) (UnsafeMutableRawPointer, UnsafeRawPointer) -> UnsafeRawPointer?
  var imm: Int32; var rd: UInt8; var rs1: UInt8; var rs2: UInt8; var rs3: UInt8; var off: UInt16; var len: UInt8; var extra: UInt8; var raw: UInt32 }
struct State { var x: InlineArray<33, UInt64>; var pc: UInt64; var blockPC: UInt64; var instret: UInt64; var attention: UInt64; var ops: UnsafeRawPointer; var count: UInt64; var limit: UInt64
  init(ops: UnsafeRawPointer){ x = .init(repeating: 0); pc = 0; blockPC = 0x80000000; instret=0; attention=0; self.ops=ops; count=0; limit=0 } }
typealias H = UnsafeMutablePointer<State>
typealias O = UnsafePointer<Operation>
extension UnsafeMutableRawPointer { @inline(__always) var h: H { assumingMemoryBound(to: State.self) } }
extension UnsafeRawPointer { @inline(__always) var o: O { assumingMemoryBound(to: Operation.self) }
 @inline(__always) var next: UnsafeRawPointer { self + MemoryLayout<Operation>.stride } }
extension UnsafeMutablePointer where Pointee == State { 
  @inline(__always) subscript(r: UInt8) -> UInt64 { get { pointee.x[unchecked: Int(r)] } nonmutating set { pointee.x[unchecked: Int(r)] = newValue } } }
@inline(never) func mk(_ n: Int) -> UnsafeMutablePointer<Operation> {
  let p = UnsafeMutablePointer<Operation>.allocate(capacity: 16)
  func op(_ i: Int, _ rd: UInt8, _ rs1: UInt8, _ rs2: UInt8, _ imm: Int32, _ e: @escaping @convention(c) (UnsafeMutableRawPointer, UnsafeRawPointer) -> UnsafeRawPointer?) { (p+i).initialize(to: Operation(execute: e, imm: imm, rd: rd, rs1: rs1, rs2: rs2, rs3: 0, off: UInt16(i*4), len: 4, extra: 0, raw: 0)) }
  op(0, 1, 1, 0, 1) { h, o in let h = h.h; let p = o.o.pointee; h[p.rd] = h[p.rs1] &+ UInt64(bitPattern: Int64(p.imm)); return o.next }
  op(1, 2, 1, 2, 1) { h, o in let h = h.h; let p = o.o; h[p.pointee.rd] = h[p.pointee.rs1] ^ h[p.pointee.rs2]; return o.next }
  op(2, 3, 2, 0, 7) { h, o in let h = h.h; let p = o.o.pointee; h[p.rd] = h[p.rs1] << UInt64(p.imm & 63); return o.next }
  op(3, 4, 3, 4, 1) { h, o in let h = h.h; let p = o.o.pointee; h[p.rd] = h[p.rs1] &+ h[p.rs2]; return o.next }
  op(4, 0, 1, 5, 0) { h, o in let h = h.h; let p = o.o.pointee; 
     h.pointee.instret &+= 5; if h.pointee.attention != 0 {return nil}
     if h[p.rs1] != h[p.rs2] { h.pointee.pc = h.pointee.blockPC; return h.pointee.ops } ; return nil }
  return p
}
let p = mk(1)
var s = State(ops: UnsafeRawPointer(p))
s.x[5] = 100_000_000
@inline(never) func run(_ h: UnsafeMutableRawPointer, _ o: UnsafeRawPointer) { var o: UnsafeRawPointer? = o
  while let c = o { o = c.o.pointee.execute(h, c) } }
let t0 = clock()
withUnsafeMutablePointer(to: &s) { run(UnsafeMutableRawPointer($0), UnsafeRawPointer(p)) }
let t1 = clock()
print(Double(s.instret) / (Double(t1-t0)/1e6) / 1e6, "MIPS", s.x[4])
