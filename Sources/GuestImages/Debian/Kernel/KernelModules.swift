/// The index that depmod wrote beside a kernel's modules: which module needs which, and which are built in.
struct KernelModules {
    /// Paths relative to the modules' directory, by the module's name.
    private var paths: [String: String] = [:]
    /// What a module needs, in the index's order: a needed module stands before the ones that it needs itself.
    private var needs: [String: [String]] = [:]
    private var builtin: Set<String> = []
    private var soft: [String: [String]] = [:]
    /// Modules that also answer to another name, as `crypto-crc32c` for every implementation of that sum.
    private var aliases: [String: [String]] = [:]

    /// - Parameters:
    ///   - dependencies: the text of `modules.dep`.
    ///   - builtin: the text of `modules.builtin`.
    ///   - soft: the text of `modules.softdep`.
    ///   - aliases: the text of `modules.alias`; patterns for devices are skipped.
    init(dependencies: String, builtin: String = "", soft: String = "", aliases: String = "") {
        for line in dependencies.split(whereSeparator: \.isNewline) {
            guard let colon = line.firstIndex(of: ":") else { continue }
            let path = String(line[..<colon])
            paths[Self.name(of: path)] = path
            needs[path] = line[line.index(after: colon)...].split(separator: " ").map(String.init)
        }
        self.builtin = Set(builtin.split(whereSeparator: \.isNewline).map { Self.name(of: String($0)) })
        for line in soft.split(whereSeparator: \.isNewline) {
            // softdep NAME pre: MODULE... post: MODULE...
            let words = line.split(separator: " ").map(String.init)
            guard words.count > 3, words[0] == "softdep", let start = words.firstIndex(of: "pre:") else { continue }
            self.soft[Self.name(of: words[1])] = words[(start + 1)...].prefix { $0 != "post:" }.map(Self.name(of:))
        }
        for line in aliases.split(whereSeparator: \.isNewline) {
            // alias NAME MODULE
            let words = line.split(separator: " ").map(String.init)
            guard words.count == 3, words[0] == "alias", !words[1].contains(where: { "*?[:".contains($0) }) else {
                continue
            }
            self.aliases[Self.name(of: words[1]), default: []].append(Self.name(of: words[2]))
        }
    }

    /// A module's name from its file: without directory and endings, and with `_` for `-` as the kernel has it.
    static func name(of path: String) -> String {
        var file = path.split(separator: "/").last ?? ""
        for ending in [".xz", ".zst", ".gz", ".ko"] where file.hasSuffix(ending) { file = file.dropLast(ending.count) }
        return String(file.map { $0 == "-" ? "_" : $0 })
    }

    /// Whether the kernel has the module, built in or as a file.
    func has(_ name: String) -> Bool {
        let name = Self.name(of: name)
        return builtin.contains(name) || paths[name] != nil
    }

    /// The files to load for these modules, each after all that it needs; built-in modules need no file.
    ///
    /// - Throws: `.badInput` when the kernel has no such module.
    func loadOrder(_ names: [String]) throws(ImageError) -> [String] {
        var order: [String] = []
        for name in names.map(Self.name(of:)) where !builtin.contains(name) {
            guard let path = paths[name] else {
                throw ImageError(.badInput, "kernel module \(name): the kernel's package does not have it; report this")
            }
            append(path, to: &order)
        }
        return order
    }

    /// Adds a file and all that it needs, each with its soft dependencies, which may be missing or built in.
    private func append(_ path: String, to order: inout [String]) {
        for needed in (needs[path] ?? []).reversed() + [path] where !order.contains(needed) {
            for wanted in soft[Self.name(of: needed)] ?? [] {
                for name in [wanted] + (aliases[wanted] ?? []) {
                    guard let file = paths[name], !order.contains(file) else { continue }
                    order += ((needs[file] ?? []).reversed() + [file]).filter { !order.contains($0) }
                }
            }
            order.append(needed)
        }
    }
}
