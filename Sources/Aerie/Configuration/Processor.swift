/// The processor model of a riscv64 guest.
public struct Processor: Codable, Equatable, Sendable {
    /// A set of extensions or features.
    public enum Model: String, CaseIterable, Codable, Sendable {
        /// All extensions that the harts implement, without the hypervisor's unless it is asked for. The device tree lists them. For riscv64
        /// guests, whose default it is.
        case max
        /// What the host's processor and KVM offer, as far as Aerie knows it. For x86_64 guests, whose default it is.
        case host
        /// The levels of the x86-64 architecture (System V ABI, AMD64 supplement, section 3.1.1), for x86_64 guests. A saved machine can move to
        /// every host whose processor has the level.
        case x86_64_v1 = "x86-64-v1"
        /// With SSE4.2, POPCNT and CMPXCHG16B.
        case x86_64_v2 = "x86-64-v2"
        /// With AVX2, BMI and FMA.
        case x86_64_v3 = "x86-64-v3"
        /// With AVX-512 F, BW, CD, DQ and VL.
        case x86_64_v4 = "x86-64-v4"

        /// The guests that it is for.
        public var architecture: Configuration.Architecture { self == .max ? .riscv64 : .x86_64 }
    }

    /// The widest paging mode, which is the device tree's `mmu-type`. Guests may also use narrower modes (Privileged Architecture,
    /// chapters on Sv39, Sv48 and Sv57).
    public enum PagingMode: String, CaseIterable, Codable, Sendable {
        /// Virtual addresses of 39 bits, three levels of page tables.
        case sv39
        /// Virtual addresses of 48 bits, four levels of page tables.
        case sv48
        /// Virtual addresses of 57 bits, five levels of page tables. Some programs that tag pointers, such as OpenJDK, do not start
        /// in this mode.
        case sv57
    }

    /// Profiles of the RISC-V standard, each with the reason why it is not available.
    private static let lackingProfiles = [
        "rva20": "no model leaves out the extensions that RVA20 does not have",
        "rva22": "the harts lack Zfhmin and Zkt of RVA22",
        "rva23": "the harts lack V, Zfhmin and others of RVA23",
    ]

    /// The set of extensions.
    public var model: Model
    /// The widest paging mode.
    public var pagingMode: PagingMode

    /// The hypervisor extension: the guest can run guests of its own. Off by default. Only riscv64 guests have it.
    public var hypervisor: Bool

    /// Creates a processor model. The default has all extensions but the hypervisor's, and Sv48.
    public init(model: Model = .max, pagingMode: PagingMode = .sv48, hypervisor: Bool = false) {
        self.model = model
        self.pagingMode = pagingMode
        self.hypervisor = hypervisor
    }

    /// Decodes a processor. One that was saved before there was a choice has no hypervisor extension.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        model = try values.decode(Model.self, forKey: .model)
        pagingMode = try values.decode(PagingMode.self, forKey: .pagingMode)
        hypervisor = try values.decodeIfPresent(Bool.self, forKey: .hypervisor) ?? false
    }

    /// Whether an architecture's guests can have this processor.
    func validate(for architecture: Configuration.Architecture) throws(AerieError) {
        guard model.architecture == architecture else {
            let models = Model.allCases.filter { $0.architecture == architecture }.map(\.rawValue)
            throw AerieError(
                .usage, asked: "--cpu \(model.rawValue)",
                found:
                    "it is a processor of \(model.architecture.rawValue) guests, and this one is \(architecture.rawValue)",
                advice: models.isEmpty ? "leave it out" : "use \(models.joined(separator: ", "))")
        }
        guard model == .max || pagingMode == Processor().pagingMode && !hypervisor else {
            throw AerieError(
                .usage, asked: "--cpu \(model.rawValue)", found: "mmu= and h= are settings of riscv64 guests",
                advice: "leave them out")
        }
    }

    /// Parses `MODEL[,mmu=sv39|sv48|sv57][,h=on|off]`. The model is optional.
    ///
    /// - Throws: an error of category `usage` for an unknown model or setting, `unavailable` for a profile that the harts lack.
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
        } else if pair.count == 2, pair[0] == "h" {
            guard let isOn = ["on": true, "off": false][pair[1]] else {
                throw AerieError(.usage, asked: asked, found: "h '\(pair[1])' is not known", advice: "use on or off")
            }
            hypervisor = isOn
        } else if pair.count == 2 {
            throw AerieError(
                .usage, asked: asked, found: "extension '\(pair[0])' cannot be switched",
                advice: "use a model, mmu=sv39, sv48 or sv57, and h=on or off")
        } else if isFirst, let known = Model(rawValue: part) {
            model = known
        } else if let lack = Self.lackingProfiles[part] {
            throw AerieError(.unavailable, asked: asked, found: lack, advice: "use the model max")
        } else {
            throw AerieError(
                .usage, asked: asked, found: "'\(part)' is not a known model",
                advice:
                    "use max, with mmu=sv39, sv48 or sv57 and h=on or off behind it; or host or x86-64-v1 to x86-64-v4 for x86_64 guests"
            )
        }
    }
}
