/// The processor model of a guest. For riscv64 guests it can be changed by extensions.
public struct Processor: Codable, Equatable, Sendable {
    /// A set of extensions or features.
    public enum Model: String, CaseIterable, Codable, Sendable {
        /// All extensions that the harts implement, without the hypervisor's unless it is asked for. The device tree lists them. For riscv64
        /// guests, whose default it is.
        case max
        /// The mandatory extensions of the profiles RVA20U64 and RVA20S64 (RISC-V Profiles, chapter "RVA20 Profiles"). For riscv64 guests.
        case rva20
        /// The mandatory extensions of the profiles RVA22U64 and RVA22S64 (RISC-V Profiles, chapter "RVA22 Profiles"). For riscv64 guests.
        case rva22
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
        public var architecture: Configuration.Architecture {
            switch self {
            case .max, .rva20, .rva22: .riscv64
            case .host, .x86_64_v1, .x86_64_v2, .x86_64_v3, .x86_64_v4: .x86_64
            }
        }

        /// The widest paging mode if none is chosen: that which the profile demands (Sv39), else Sv48.
        public var defaultPagingMode: PagingMode { self == .rva20 || self == .rva22 ? .sv39 : .sv48 }
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

    /// The set of extensions.
    public var model: Model
    /// The widest paging mode.
    public var pagingMode: PagingMode

    /// The hypervisor extension: the guest can run guests of its own. Off by default. Only riscv64 guests have it.
    public var hypervisor: Bool

    /// The extensions beside those of the model, in the order of `Extension.allCases`. `set(_:isOn:)` changes them.
    public private(set) var addedExtensions: [Extension] = []
    /// The extensions of the model that are off, in the order of `Extension.allCases`. `set(_:isOn:)` changes them.
    public private(set) var removedExtensions: [Extension] = []

    /// Creates a processor model. The default has all extensions but the hypervisor's, and Sv48.
    ///
    /// - Parameter pagingMode: the widest paging mode; nil for the model's default.
    public init(model: Model = .max, pagingMode: PagingMode? = nil, hypervisor: Bool = false) {
        self.model = model
        self.pagingMode = pagingMode ?? model.defaultPagingMode
        self.hypervisor = hypervisor
    }

    /// Decodes a processor. One that was saved before there was a choice has no hypervisor extension, and the other extensions of its model.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        model = try values.decode(Model.self, forKey: .model)
        pagingMode = try values.decode(PagingMode.self, forKey: .pagingMode)
        hypervisor = try values.decodeIfPresent(Bool.self, forKey: .hypervisor) ?? false
        addedExtensions = try values.decodeIfPresent([Extension].self, forKey: .addedExtensions) ?? []
        removedExtensions = try values.decodeIfPresent([Extension].self, forKey: .removedExtensions) ?? []
    }

    /// Whether the guest's harts have an extension.
    public func has(_ one: Extension) -> Bool {
        model.extensions.contains(one) ? !removedExtensions.contains(one) : addedExtensions.contains(one)
    }

    /// Gives the guest's harts an extension, or takes it from them.
    public mutating func set(_ one: Extension, isOn: Bool) {
        var changed = Set(addedExtensions + removedExtensions)
        if model.extensions.contains(one) == isOn { changed.remove(one) } else { changed.insert(one) }
        let ordered = Extension.allCases.filter { changed.contains($0) }
        addedExtensions = ordered.filter { !model.extensions.contains($0) }
        removedExtensions = ordered.filter { model.extensions.contains($0) }
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
        guard architecture == .riscv64 || self == Processor(model: model) else {
            throw AerieError(
                .usage, asked: "--cpu \(model.rawValue)",
                found: "mmu= and extensions are settings of riscv64 guests",
                advice: "leave them out")
        }
    }
}
