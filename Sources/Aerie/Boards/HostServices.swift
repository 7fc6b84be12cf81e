package import HostNetwork

/// What a machine needs of the host after its start that a jailed process cannot do itself. Nil stands for: the machine's process does it.
package struct HostServices: Sendable {
    /// The starter of passt for the card with this index of `Configuration.networkCards`.
    package var startPasst: (@Sendable (_ card: Int) -> any PasstStarter)?
    /// Connects to the program that serves a port for the guest's sockets; -1 where none does.
    package var connectSocket: (@Sendable (_ port: UInt32) -> Int32)?

    /// The contents of guest memory to begin with, in the order of its ranges; nil for zeroes. The machine maps the files privately, and reads
    /// a page at the first access to it.
    package var memory: SavedMemoryFiles?

    /// A file with the code that was generated for the saved machine, by `VirtualMachine.saveCode`; nil to generate it anew. It executes in this
    /// process, and must not be writable by others.
    package var code: Int32?

    /// The same of another machine, which has booted the same guest, for a machine that boots; nil for none.
    package var bootCode: Int32?

    /// Whether `VirtualMachine.saveCode` saves code of pages, too, that the guest has changed since: for machines that boot later.
    package var keepsReplacedCode = false

    /// A descriptor of an empty file for generated code that an idle machine gives up, from which copies of the machine get it; nil for none.
    package var codeStorage: Int32?

    /// Guest memory that somebody has begun to fill, instead of `memory`; nil for memory of the machine's own.
    package var arrival: ArrivalFiles?

    /// Where the machine's memory policy sees how much memory the host has left; nil for the kernel's own files.
    package var memoryFiles: MemoryFiles?

    package static let direct = HostServices()

    package init() {}
}
