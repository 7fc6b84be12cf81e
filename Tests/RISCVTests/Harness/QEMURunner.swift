import GuestToolchain
import Foundation

/// Programs run on Debian's qemu-system-riscv64: the independent implementation that proves the tests themselves.
struct QEMURunner: GuestRunner {
    let name = "QEMU"
    let features: Set<GuestFeature> = []
    private let path: String

    /// Harts have the hypervisor extension.
    var hasHypervisor = false
    /// The board has the controllers of the Advanced Interrupt Architecture, with seven guest interrupt files.
    var hasAdvancedInterrupts = false
    /// The board has an APLIC that interrupts harts directly.
    var hasDirectAPLIC = false
    private var controllers: String {
        hasAdvancedInterrupts ? ",aia=aplic-imsic,aia-guests=7" : hasDirectAPLIC ? ",aia=aplic" : ""
    }

    static let installed: QEMURunner? = HostProgram.find("qemu-system-riscv64").map { QEMURunner(path: $0) }
    static let hypervisor: QEMURunner? = HostProgram.find("qemu-system-riscv64").map {
        QEMURunner(path: $0, hasHypervisor: true)
    }

    // The extensions of our hart, as far as version 7.2 knows them, and no others.
    private static let processor = [
        "rv64", "svinval=on", "svnapot=on", "svpbmt=on", "sstc=on", "zba=on", "zbb=on", "zbc=off", "zbs=on",
        "Zfhmin=on",
    ].joined(separator: ",")

    func run(_ program: [UInt8], harts: Int, memory: Int, dump: Range<Int>) throws -> GuestOutcome {
        let directory = TemporaryDirectory()
        let image = try directory.file("program", program)
        let ram = directory.url.appending(path: "memory")
        let console = directory.url.appending(path: "console")
        let result = try HostProgram.run(
            path,
            [
                "-machine", "virt,memory-backend=ram" + controllers,
                "-cpu", Self.processor + ",h=\(hasHypervisor ? "on" : "off")",
                "-smp", "\(harts)",
                "-m", "\(memory >> 20)M",
                "-object", "memory-backend-file,id=ram,size=\(memory),mem-path=\(ram.path),share=on",
                "-bios", image, "-display", "none", "-monitor", "none", "-serial", "file:\(console.path)",
            ])
        let diagnostics = String(decoding: result.output, as: UTF8.self)
        guard result.timedOut || diagnostics.isEmpty else {
            throw HostProgram.Failure(description: "qemu-system-riscv64: \(diagnostics)")
        }
        return GuestOutcome(
            end: result.timedOut ? .timedOut : .exit(Int(result.status)),
            console: String(decoding: try Data(contentsOf: console), as: UTF8.self),
            memory: try read(dump, of: ram))
    }

    private func read(_ range: Range<Int>, of file: URL) throws -> [UInt8] {
        let handle = try FileHandle(forReadingFrom: file)
        defer { try? handle.close() }
        try handle.seek(toOffset: UInt64(range.lowerBound))
        return [UInt8](try handle.read(upToCount: range.count) ?? Data())
    }
}
