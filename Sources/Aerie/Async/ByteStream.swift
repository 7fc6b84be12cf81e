/// Bytes of a machine as an asynchronous sequence of pieces: the output of a console, or of a command in a guest.
///
/// A stream has one reader: of two tasks that iterate, each gets a part of the bytes. A piece has at least one byte and is as large as what waited,
/// so that its length means nothing. Iteration throws `AerieError.Category.cancelled` when the reading task is cancelled.
public struct ByteStream: AsyncSequence, Sendable {
    /// Bytes, at least one.
    public typealias Element = [UInt8]
    /// The reason of an early end.
    public typealias Failure = AerieError

    /// A command or a session ends when nobody refers to it: who reads its output refers to it.
    typealias Owner = any AnyObject & Sendable

    let pipe: BytePipe
    private let owner: Owner?

    /// - Parameter owner: lives as long as the stream and its readers.
    package init(_ pipe: BytePipe, keeping owner: (any AnyObject & Sendable)? = nil) {
        self.pipe = pipe
        self.owner = owner
    }

    /// The stream's reader.
    public struct Iterator: AsyncIteratorProtocol {
        let pipe: BytePipe
        let owner: Owner?

        /// The next piece; nil after the last one.
        public mutating func next() async throws(AerieError) -> [UInt8]? { try await pipe.next() }

        /// The next piece; nil after the last one.
        public mutating func next(isolation actor: isolated (any Actor)?) async throws(AerieError) -> [UInt8]? {
            try await pipe.next()
        }
    }

    /// Begins to read.
    public func makeAsyncIterator() -> Iterator { Iterator(pipe: pipe, owner: owner) }

    /// Reads to the end, and keeps the first bytes.
    ///
    /// - Parameter limit: the most bytes that are kept. A guest controls how much it writes.
    /// - Returns: the bytes, and whether the stream had more.
    /// - Throws: the reason of an early end, and `cancelled`.
    public func collect(upTo limit: Int) async throws(AerieError) -> (bytes: [UInt8], isTruncated: Bool) {
        var bytes: [UInt8] = []
        var isTruncated = false
        defer { withExtendedLifetime(owner) {} }
        while let piece = try await pipe.next() {
            let room = limit - bytes.count
            bytes.append(contentsOf: piece.prefix(room))
            if piece.count > room { isTruncated = true }
        }
        return (bytes, isTruncated)
    }

    /// The stream's lines.
    public var lines: Lines { Lines(pipe: pipe, owner: owner) }

    /// Lines of text, without their line feeds and the carriage returns before these. Malformed UTF-8 is repaired. A line of more than
    /// 65,536 bytes comes in parts.
    public struct Lines: AsyncSequence, Sendable {
        /// A line.
        public typealias Element = String
        /// The reason of an early end.
        public typealias Failure = AerieError

        private static let longest = 65_536
        let pipe: BytePipe
        let owner: Owner?

        /// The lines' reader.
        public struct Iterator: AsyncIteratorProtocol {
            let pipe: BytePipe
            let owner: Owner?
            private var rest: [UInt8] = []
            private var position = 0
            private var isOver = false

            init(pipe: BytePipe, owner: Owner?) {
                self.pipe = pipe
                self.owner = owner
            }

            /// The next line; nil after the last one.
            public mutating func next(isolation actor: isolated (any Actor)?) async throws(AerieError) -> String? {
                while true {
                    if let end = rest[position...].firstIndex(of: 0x0A) {
                        defer { position = end + 1 }
                        let hasReturn = end > position && rest[end - 1] == 0x0D
                        return String(decoding: rest[position..<(hasReturn ? end - 1 : end)], as: UTF8.self)
                    }
                    let isLong = rest.count - position >= Lines.longest
                    if isOver || isLong {
                        guard position < rest.count else { return nil }
                        defer { position = rest.count }
                        return String(decoding: rest[position...], as: UTF8.self)
                    }
                    rest.removeFirst(position)
                    position = 0
                    if let piece = try await pipe.next() { rest += piece } else { isOver = true }
                }
            }

            /// The next line; nil after the last one.
            public mutating func next() async throws(AerieError) -> String? { try await next(isolation: nil) }
        }

        /// Begins to read.
        public func makeAsyncIterator() -> Iterator { Iterator(pipe: pipe, owner: owner) }
    }
}
