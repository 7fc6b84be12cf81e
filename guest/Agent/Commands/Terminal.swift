import Support

/// A pseudo-terminal: the agent's end and the command's.
struct Terminal: ~Copyable {
    let agentEnd: Descriptor
    let commandEnd: Descriptor

    consuming func takeAgentEnd() -> Descriptor { agentEnd }

    static let setControlling = 0x540E  // TIOCSCTTY
    private static let unlock = 0x4004_5431  // TIOCSPTLCK
    private static let getPeer = 0x5441  // TIOCGPTPEER
    private static let setWindow = 0x5414  // TIOCSWINSZ
    private static let getForeground = 0x540F  // TIOCGPGRP
    private static let getAttributes = 0x5401  // TCGETS
    private static let setAttributes = 0x5402  // TCSETS
    private static let inputUTF8: UInt32 = 0o40000  // IUTF8

    init(rows: UInt16, columns: UInt16, owner: UInt32) throws(Errno) {
        let agentEnd = try FileAccess.open(
            [UInt8]("/dev/ptmx"), OpenFlags.readWrite | OpenFlags.noTerminal | OpenFlags.nonblocking)
        let number = Int(agentEnd.number)
        var zero: Int32 = 0
        try checked(
            withUnsafeMutablePointer(to: &zero) { system(SystemCall.ioctl, number, Self.unlock, Int(bitPattern: $0)) })
        let commandEnd = try Descriptor(
            system(
                SystemCall.ioctl, number, Self.getPeer,
                OpenFlags.readWrite | OpenFlags.noTerminal | OpenFlags.closeOnExec))
        // Programs of the command's user open their terminal by name.
        _ = system(SystemCall.fchown, Int(commandEnd.number), Int(owner), -1)
        Self.change(commandEnd.number) { $0.input |= Self.inputUTF8 }
        Self.setWindow(agentEnd.number, rows: rows == 0 ? 24 : rows, columns: columns == 0 ? 80 : columns)
        self.agentEnd = agentEnd
        self.commandEnd = commandEnd
    }

    /// Sets the size of the window behind the guest's console, of which a serial port knows nothing.
    static func setConsoleWindow(rows: UInt16, columns: UInt16) {
        let flags = OpenFlags.readWrite | OpenFlags.noTerminal | OpenFlags.nonblocking
        guard let console = try? FileAccess.open([UInt8]("/dev/console"), flags) else { return }
        setWindow(console.number, rows: rows, columns: columns)
    }

    static func setWindow(_ terminal: Int32, rows: UInt16, columns: UInt16) {
        var size = aerie_window_size(rows: rows, columns: columns, width: 0, height: 0)
        _ = withUnsafeMutablePointer(to: &size) {
            system(SystemCall.ioctl, Int(terminal), setWindow, Int(bitPattern: $0))
        }
    }

    /// The process group that has the terminal, or nil if there is none.
    static func foregroundGroup(_ terminal: Int32) -> Int32? {
        var group: Int32 = 0
        let result = withUnsafeMutablePointer(to: &group) {
            system(SystemCall.ioctl, Int(terminal), getForeground, Int(bitPattern: $0))
        }
        return result == 0 && group > 1 ? group : nil
    }

    static func change(_ terminal: Int32, _ body: (inout aerie_termios) -> Void) {
        var attributes = aerie_termios()
        let result = withUnsafeMutablePointer(to: &attributes) {
            system(SystemCall.ioctl, Int(terminal), getAttributes, Int(bitPattern: $0))
        }
        guard result == 0 else { return }
        body(&attributes)
        _ = withUnsafeMutablePointer(to: &attributes) {
            system(SystemCall.ioctl, Int(terminal), setAttributes, Int(bitPattern: $0))
        }
    }

    /// As `stty raw -echo`.
    static func makeRaw(_ terminal: Int32) {
        change(terminal) { attributes in
            attributes.input &= ~0o2753  // IGNBRK BRKINT PARMRK ISTRIP INLCR IGNCR ICRNL IXON
            attributes.output &= ~1  // OPOST
            attributes.local &= ~0o100113  // ISIG ICANON ECHO ECHONL IEXTEN
            attributes.control = attributes.control & ~0o460 | 0o60  // CSIZE PARENB, then CS8
            withUnsafeMutableBytes(of: &attributes.characters) { characters in
                characters[6] = 1  // VMIN
                characters[5] = 0  // VTIME
            }
        }
    }
}
