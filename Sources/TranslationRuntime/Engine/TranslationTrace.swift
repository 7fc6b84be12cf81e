package import HostSystem
internal import Translator

/// Writes the translations of a machine's processors to a file: for each block the guest's instructions, the statements
/// of the IR that they became, and the bytes of host code for each.
package final class TranslationTrace: Sendable {
    private let file: FileDescriptor
    private let onFailure: @Sendable (SystemError) -> Void
    private let hasFailed = Monitor(false)

    /// - Parameters:
    ///   - file: open for appending, so that writes do not mix.
    ///   - onFailure: called once, on any thread, when the file takes no more. The trace ends there, and the guest continues.
    package init(file: consuming FileDescriptor, onFailure: @escaping @Sendable (SystemError) -> Void = { _ in }) {
        self.file = file
        self.onFailure = onFailure
    }

    /// - Parameters:
    ///   - kind: `region` or `blocks`.
    ///   - processor: that asked for it.
    ///   - code: the bytes from the first mark's position on.
    func write(
        _ kind: String, processor: Int, of page: PageSnapshot, _ blocks: [GuestBlock], _ marks: [CodeMark], end: Int,
        code: UnsafeRawPointer, frontEnd: any GuestFrontEnd
    ) {
        guard !hasFailed.withLock({ $0 }) else { return }
        var text = "\(kind) of vCPU \(processor), guest-physical page \(hex(page.physical))"
        if page.isRelative { text += ", at any address" }
        if let first = marks.first { text += ", code at \(hex(UInt64(first.position)))" }
        text += "\n"
        for (index, mark) in marks.enumerated() {
            let next = index + 1 < marks.count ? marks[index + 1].position : end
            describe(mark, page, blocks, frontEnd, to: &text)
            append(UnsafeRawBufferPointer(start: code + mark.position, count: next - mark.position), to: &text)
        }
        text += "\n"
        Array(text.utf8).withUnsafeBytes { bytes in
            do throws(SystemError) {
                try file.writeAll(bytes)
            } catch {
                let isFirst = hasFailed.update { failed in
                    defer { failed = true }
                    return !failed
                }
                if isFirst { onFailure(error) }
            }
        }
    }

    private func describe(
        _ mark: CodeMark, _ page: PageSnapshot, _ blocks: [GuestBlock], _ frontEnd: any GuestFrontEnd,
        to text: inout String
    ) {
        guard mark.block < blocks.count else {
            text += "  slow paths\n"
            return
        }
        let block = blocks[mark.block]
        guard let number = mark.step else {
            text += "  block \(hex(block.address)), \(block.count) instructions, weight \(block.weight)"
            text += mark.part.map { ", part \($0)\n" } ?? "\n"
            let instructions = frontEnd.disassemble(page, from: Int(block.address &- page.base), count: block.count)
            for (address, instruction) in instructions {
                text += "    \(hex(address))  \(instruction)\n"
            }
            return
        }
        let statement = number < block.steps.count ? "\(block.steps[number].statement)" : "\(block.terminator)"
        // Type names say nothing here.
        var rest = statement
        text += "    "
        while let (before, after) = rest.divided(at: "Translator.") {
            text += before
            rest = after
        }
        text += rest + "\n"
    }

    private func append(_ bytes: UnsafeRawBufferPointer, to text: inout String) {
        for start in stride(from: 0, to: bytes.count, by: 24) {
            let line = bytes[start..<min(start + 24, bytes.count)]
            text += "      " + line.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " ") + "\n"
        }
    }

    private func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }
}
