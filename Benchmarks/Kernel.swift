/// A computation in C, compiled for the host and for the guest.
struct Kernel {
    enum Group: String, CaseIterable {
        case integer, memory
        case floatingPoint = "floating point"
        /// Worst cases, which belong to no mean.
        case other

        /// Multiples of native time: of the best known peer, the required goal, and the desired goal.
        var goals: (peer: Double, required: Double, desired: Double)? {
            switch self {
            case .integer: (4.8, 2.5, 1.8)
            case .memory: (7.3, 3.5, 2)
            case .floatingPoint: (25, 5, 3)
            case .other: nil
            }
        }
    }

    let name: String
    let group: Group
    let source: String
    let definitions: [String]

    private init(_ name: String, _ group: Group, source: String? = nil, definitions: [String] = []) {
        self.name = name
        self.group = group
        self.source = source ?? "\(name).c"
        self.definitions = definitions
    }

    /// The empty program. Its time, a machine's start and end, is subtracted from every other kernel's.
    static let empty = Kernel("empty", .other)

    static let all = [
        Kernel("core", .integer),
        Kernel("sieve", .integer),
        Kernel("sha256", .integer),
        Kernel("qsort", .integer),
        Kernel("bytecode", .integer),
        Kernel("recursion", .integer),
        Kernel("chase", .memory),
        Kernel("stream", .memory),
        Kernel("memcpy", .memory),
        Kernel("nbody", .floatingPoint),
        Kernel("matrix", .floatingPoint),
        Kernel("mandelbrot", .floatingPoint),
        Kernel("aliases", .other, source: "stream.c", definitions: ["COUNT=(2<<20)", "ROUNDS=1"]),
    ]
}
