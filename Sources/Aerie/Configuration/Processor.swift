/// The processor that a riscv64 guest sees.
public struct Processor: Equatable, Sendable {
    /// A set of extensions.
    public enum Model: String, CaseIterable, Sendable {
        /// Every extension that the harts implement; the device tree lists them.
        case max
    }

    /// The widest virtual addresses: what the device tree names as `mmu-type`. The harts take narrower ones as well.
    public enum PagingMode: String, CaseIterable, Sendable {
        /// 39 bits, three levels of page tables.
        case sv39
        /// 48 bits, four levels.
        case sv48
        /// 57 bits, five levels. Some programs that tag pointers, OpenJDK among them, do not start under it.
        case sv57
    }

    /// Profiles of the RISC-V standard that are asked for by name, and what harts lack of them.
    private static let lackingProfiles = [
        "rva20": "no model leaves out the extensions that RVA20 does not have",
        "rva22": "the harts lack Zfhmin and Zkt of RVA22",
        "rva23": "the harts lack V, H, Zfhmin and others of RVA23",
    ]

    /// The extensions.
    public var model: Model
    /// The widest virtual addresses.
    public var pagingMode: PagingMode

    /// The default processor: all extensions, and Sv48.
    public init(model: Model = .max, pagingMode: PagingMode = .sv48) {
        self.model = model
        self.pagingMode = pagingMode
    }

    /// Reads `MODEL[,mmu=sv39|sv48|sv57]`; the model may be left out.
    public init(option text: String) throws(AerieError) {
        self.init()
        let parts = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        for (index, part) in parts.enumerated() { try apply(part, isFirst: index == 0, of: text) }
    }

    private mutating func apply(_ part: String, isFirst: Bool, of text: String) throws(AerieError) {
        let asked = "--cpu \(text)"
        let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        if pair.count == 2, pair[0] == "mmu" {
            guard let known = PagingMode(rawValue: pair[1]) else {
                throw AerieError(
                    .usage, asked: asked, found: "mmu '\(pair[1])' is not known", advice: "use sv39, sv48 or sv57")
            }
            pagingMode = known
        } else if pair.count == 2 {
            throw AerieError(
                .usage, asked: asked, found: "extension '\(pair[0])' cannot be switched",
                advice: "use a model and mmu=sv39, sv48 or sv57")
        } else if isFirst, let known = Model(rawValue: part) {
            model = known
        } else if let lack = Self.lackingProfiles[part] {
            throw AerieError(.unavailable, asked: asked, found: lack, advice: "use the model max")
        } else {
            throw AerieError(
                .usage, asked: asked, found: "'\(part)' is not a known model",
                advice: "use max, with mmu=sv39, sv48 or sv57 behind it")
        }
    }
}
