internal import Aerie
internal import Foundation
internal import GuestImages
internal import HostSystem
internal import KVMEngine

/// Looks at the host for what `aerie` uses.
struct HostExamination {
    private let environment: [String: String]

    init(environment: [String: String] = ProcessInfo.processInfo.environment) {
        self.environment = environment
    }

    func findings() -> [Finding] {
        [architecture, runtime, processors, memory] + MemoryExamination.findings + [kvm] + engines
            + JailExamination.findings
            + HostTool.allCases.map(tool) + [
                userNetwork,
                directory("cache directory", variable: "XDG_CACHE_HOME", fallback: ".cache"),
                directory("data directory", variable: "XDG_DATA_HOME", fallback: ".local/share"),
                terminal,
            ]
    }

    private var architecture: Finding {
        var name = utsname()
        uname(&name)
        func text(_ field: some Any) -> String {
            withUnsafeBytes(of: field) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        }
        return Finding(
            name: "host", status: .ok, reason: "\(text(name.machine)), \(text(name.sysname)) \(text(name.release))")
    }

    private var runtime: Finding {
        // A statically linked program has no such line among its mappings.
        let maps = (try? String(contentsOfFile: "/proc/self/maps", encoding: .utf8)) ?? ""
        let library = maps.split(separator: "\n").first { $0.hasSuffix("/libswiftCore.so") }?.split(separator: " ").last
        return Finding(
            name: "Swift runtime", status: .ok,
            reason: library.map { "6.3 or newer, from \($0)" } ?? "6.3 or newer, in the program itself")
    }

    private var processors: Finding {
        let count = ProcessInfo.processInfo.activeProcessorCount
        return Finding(name: "processors", status: .ok, reason: "\(count) for this process")
    }

    private var memory: Finding {
        let total = ProcessInfo.processInfo.physicalMemory >> 20
        return Finding(
            name: "memory", status: total >= 1024 ? .ok : .limited, reason: "\(total)M",
            advice: total >= 1024 ? "" : "a guest has 512M unless --memory says less")
    }

    private var kvm: Finding {
        let name = "KVM"
        do throws(KVMError) {
            let system = try KVMSystem()
            let missing = KVMCapability.allCases.filter { !system.has($0) }.map(\.meaning)
            let processors = "\(KVMSystem.path), up to \(system.maximumVCPUs) vCPUs for each machine"
            return Finding(
                name: name, status: .ok,
                reason: missing.isEmpty ? processors : "\(processors), without \(missing.joined(separator: ", "))")
        } catch {
            let parts = error.description.split(separator: "; ", maxSplits: 1).map(String.init)
            return Finding(
                name: name, status: .limited, reason: parts[0],
                advice: parts.count > 1 ? parts[1] : "riscv64 guests run without it")
        }
    }

    private var engines: [Finding] {
        [Finding(name: "engine interpret", status: .ok, reason: "riscv64 guests on every host"), native, translator]
    }

    private var native: Finding {
        #if arch(x86_64)
            let isThere = kvm.status == .ok
            return Finding(
                name: "engine kvm", status: isThere ? .ok : .limited,
                reason: isThere ? "x86_64 guests, at native speed" : "it needs KVM")
        #else
            return Finding(
                name: "engine kvm", status: .limited, reason: "it runs guests on x86_64 hosts only so far")
        #endif
    }

    private var translator: Finding {
        #if arch(x86_64)
            Finding(name: "engine translate", status: .ok, reason: "riscv64 guests")
        #else
            Finding(
                name: "engine translate", status: .limited, reason: "it generates code for x86-64 processors only")
        #endif
    }

    private func tool(_ tool: HostTool) -> Finding {
        if let path = tool.locate(in: HostTool.searchPath(environment["PATH"])) {
            return Finding(name: tool.rawValue, status: .ok, reason: path)
        }
        return Finding(
            name: tool.rawValue, status: .missing, reason: "not found, and building images needs it",
            advice: "apt-get install \(tool.debianPackage)")
    }

    private var userNetwork: Finding {
        if let path = Configuration.findPasst() { return Finding(name: "passt", status: .ok, reason: path) }
        return Finding(
            name: "passt", status: .limited, reason: "not found, and guests have no network without it",
            advice: "apt-get install passt")
    }

    private func directory(_ name: String, variable: String, fallback: String) -> Finding {
        let home = environment["HOME"] ?? NSHomeDirectory()
        let base = environment[variable].flatMap { $0.hasPrefix("/") ? $0 : nil } ?? "\(home)/\(fallback)"
        let path = "\(base)/aerie"
        guard ImageDirectories.isValid(path) else {
            return Finding(
                name: name, status: .missing, reason: "the name of '\(path)' is not valid UTF-8",
                advice: "set \(variable) to another directory")
        }
        // What is not there yet is made where the nearest directory above it may be written.
        var existing = URL(filePath: path)
        while !FileManager.default.fileExists(atPath: existing.path), existing.path != "/" {
            existing.deleteLastPathComponent()
        }
        let isDirectory = (try? existing.resourceValues(forKeys: [.isDirectoryKey]).isDirectory) ?? false
        if isDirectory && FileManager.default.isWritableFile(atPath: existing.path) {
            return Finding(name: name, status: .ok, reason: "\(path) can be written")
        }
        return Finding(
            name: name, status: .missing, reason: "\(existing.path) is not a writable directory",
            advice: "set \(variable)")
    }

    private var terminal: Finding {
        guard Terminal.isTerminal(STDIN_FILENO) else {
            return Finding(
                name: "terminal", status: .limited, reason: "standard input is not a terminal",
                advice: "its contents are typed as a script")
        }
        let size = Terminal.windowSize(STDOUT_FILENO).map { "\($0.columns) columns and \($0.rows) rows" }
        return Finding(name: "terminal", status: .ok, reason: size ?? "its size is not known")
    }
}
