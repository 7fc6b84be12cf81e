extension Processor {
    /// Profiles of the RISC-V standard, each with the reason why it is not available.
    private static let lackingProfiles = ["rva23": "the harts lack V and others of RVA23"]

    /// Parses `MODEL[,EXT=on|off]...[,mmu=sv39|sv48|sv57]`. The model is optional, the last of several settings counts, and EXT is `h` or the name
    /// of an `Extension`. Of extensions that every hart has, `on` is accepted.
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
        } else if pair.count == 2 {
            try applySwitch(pair[0], pair[1], asked: asked)
        } else if isFirst, let known = Model(rawValue: part) {
            self = Processor(model: known)
        } else if let lack = Self.lackingProfiles[part] {
            throw AerieError(.unavailable, asked: asked, found: lack, advice: "use the model max")
        } else {
            throw AerieError(
                .usage, asked: asked, found: "'\(part)' is not a known model",
                advice:
                    "use max, rva20 or rva22, with mmu=sv39, sv48 or sv57 and EXT=on or off behind it; or host or x86-64-v1 to x86-64-v4 for x86_64 guests"
            )
        }
    }

    private mutating func applySwitch(_ name: String, _ value: String, asked: String) throws(AerieError) {
        let known = Extension(rawValue: name)
        let isFixed = Self.fixedNames.contains(name)
        guard known != nil || isFixed || name == "h" else {
            let names = ["h"] + Extension.allCases.map(\.rawValue)
            throw AerieError(
                .usage, asked: asked, found: "extension '\(name)' is not known",
                advice: "use mmu=sv39, sv48 or sv57, or on or off for one of \(names.joined(separator: ", "))")
        }
        guard let isOn = ["on": true, "off": false][value] else {
            throw AerieError(
                .usage, asked: asked, found: "\(name) '\(value)' is not known", advice: "use on or off")
        }
        if let known {
            set(known, isOn: isOn)
        } else if name == "h" {
            hypervisor = isOn
        } else if !isOn {
            throw AerieError(
                .usage, asked: asked, found: "extension '\(name)' is a part of every model and stays on",
                advice: "leave \(name)=off out")
        }
    }
}
