/// The file with the contents of a flash bank.
public struct FlashFile: Codable, Equatable, Sendable {
    /// The file's path.
    public var path: String
    /// Whether the guest cannot program and erase the bank.
    public var isReadOnly: Bool

    /// Describes a bank on the file at `path`. `VirtualMachine.init` checks its size: 32 MiB, or less if it is read-only.
    public init(path: String, isReadOnly: Bool = false) {
        self.path = path
        self.isReadOnly = isReadOnly
    }

    /// Parses `FILE[,readonly]`. A comma in the file's name is doubled.
    ///
    /// - Throws: an error of category `usage` for an unknown setting.
    public init(option text: String) throws(AerieError) {
        let parts = OptionParts.split(text)
        self.init(path: parts[0])
        for part in parts.dropFirst() {
            guard part == "readonly" else {
                throw AerieError(
                    .usage, asked: "--flash \(text)", found: "'\(part)' is not known",
                    advice: "after the file, use readonly")
            }
            isReadOnly = true
        }
    }
}
