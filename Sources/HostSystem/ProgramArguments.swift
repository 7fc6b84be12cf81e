/// The words that this program was started with, as the kernel handed them over.
package enum ProgramArguments {
    /// The first argument that is not UTF-8, with its position and with U+FFFD where its bytes are wrong; nil when all are.
    ///
    /// Swift's own array of arguments has such words repaired, and a repaired name is the name of another file.
    package static var firstMalformed: (position: Int, text: String)? {
        for position in 0..<Int(CommandLine.argc) {
            guard let word = CommandLine.unsafeArgv[position] else { return nil }
            if String(validatingCString: word) == nil { return (position, String(cString: word)) }
        }
        return nil
    }
}
