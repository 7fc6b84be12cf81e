// swift-tools-version: 6.2
import PackageDescription

// Every target of ours is compiled with the same strictness; see CONTRIBUTING.md.
let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
]

func module(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

// Most tests need not be fast: without the optimizer, their compilation takes half of the time. Those that compute for long are optimized.
let optimizedTests: Set = [
    "RISCVTests", "TranslationRuntimeTests", "HostX86_64Tests", "DiskImagesTests", "MachineTests", "ArchitectureTests",
]

func tests(_ name: String, _ dependencies: [Target.Dependency] = [], exclude: [String] = []) -> Target {
    .testTarget(
        name: name, dependencies: dependencies, exclude: exclude,
        swiftSettings: settings + (optimizedTests.contains(name) ? [] : [.unsafeFlags(["-Onone"])]))
}

let package = Package(
    name: "aerie",
    products: [
        .library(name: "Aerie", targets: ["Aerie"]),
        .library(name: "AerieMachines", targets: ["AerieMachines"]),
        .executable(name: "aerie", targets: ["AerieCommand"]),
        .executable(name: "aerie-vm", targets: ["AerieVM"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.0"),
        .package(url: "https://github.com/apple/swift-system", from: "1.5.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.6.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.0.0"),
    ],
    targets: [
        // Ground
        .target(name: "CLinux"),
        .target(name: "CSockets"),
        .target(name: "CFileSystem"),
        .target(name: "CRuntime"),
        .target(name: "CScheduling"),
        .target(name: "CJail"),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
        module("HostSystem", ["CLinux"]),
        module("TextTables"),
        // Also compiled into the guest's agent, as Embedded Swift: no imports.
        module("AgentProtocol"),
        module("TarStream"),
        module("SavedState", ["CLinux", "CZstd"]),
        .target(name: "CGuestMemory"),
        module("GuestMemory", ["HostSystem", "CGuestMemory"]),
        // A snapshot as one stream, for another host.
        module("SnapshotArchive", ["SavedState", "HostSystem"]),
        // Machine
        module("Machine", ["GuestMemory", "SavedState", "HostSystem"]),
        // Processors
        module("Translator"),
        module("HostX86_64", ["Translator", "CLinux"]),
        module(
            "TranslationRuntime", ["CLinux", "HostX86_64", "Translator", "GuestMemory", "SavedState", "HostSystem"]),
        module("RISCV", ["TranslationRuntime", "Translator", "Machine", "GuestMemory", "SavedState", "HostSystem"]),
        .target(name: "CKVM"),
        module("KVMEngine", ["CKVM", "Machine", "GuestMemory", "SavedState", "HostSystem"]),
        // Devices
        module("PlatformDevices", ["PCI", "Machine", "GuestMemory", "SavedState", "HostSystem"]),
        module("DiskImages", ["CLinux", "SavedState", "HostSystem", "CZlib", "CZstd"]),
        module("HostNetwork", ["CLinux", "HostSystem"]),
        module("HostSockets", ["CSockets", "HostSystem"]),
        module("SharedFolders", ["CFileSystem", "SavedState", "HostSystem"]),
        module("PCI", ["Machine", "SavedState", "HostSystem"]),
        module("Virtio", ["PCI", "Machine", "GuestMemory", "SavedState", "HostSystem"]),
        module(
            "VirtioDevices",
            [
                "Virtio", "DiskImages", "HostNetwork", "HostSockets", "SharedFolders", "Machine", "GuestMemory",
                "SavedState",
                "HostSystem",
            ]),
        // Composition
        module("GuestBoot", ["GuestMemory", "HostSystem", "CZlib", "CZstd"]),
        module(
            "Aerie",
            [
                "GuestBoot", "RISCV", "TranslationRuntime", "KVMEngine", "PlatformDevices", "VirtioDevices", "Virtio",
                "PCI", "DiskImages", "HostNetwork", "HostSockets", "SharedFolders", "Machine", "GuestMemory",
                "SavedState", "HostSystem",
            ]),
        // Control
        .plugin(name: "GuestAgentBuild", capability: .buildTool()),
        // The guest's agent for each instruction set: a plugin builds it from guest/ and embeds it.
        .target(
            name: "GuestAgentPrograms", swiftSettings: settings, plugins: [.plugin(name: "GuestAgentBuild")]),
        module(
            "GuestImages",
            [
                "GuestAgentPrograms", "GuestBoot", "HostSystem",
                .product(name: "Subprocess", package: "swift-subprocess"),
                .product(name: "SystemPackage", package: "swift-system"),
            ]),
        // Project files in the style of compose: text in, services out.
        module("Compose", ["HostSystem", .product(name: "Yams", package: "Yams")]),
        module("ControlAPI", ["Aerie"]),
        module("Jail", ["CJail", "HostNetwork", "HostSockets", "HostSystem"]),
        module(
            "Runtime",
            [
                "Jail", "ControlAPI", "AgentClient", "AgentProtocol", "CRuntime", "CScheduling", "CSockets", "Aerie",
                "DiskImages", "GuestBoot", "SnapshotArchive", "HostSystem",
            ]),
        module("MachineSession", ["Runtime", "ControlAPI", "CSockets", "Aerie", "HostSystem"]),
        module("AgentClient", ["AgentProtocol", "TarStream", "HostSystem", "CFileSystem", "CLinux", "CSockets"]),
        // The library for machines in processes of their own, above all of Control.
        module(
            "AerieMachines",
            [
                "GuestImages", "Runtime", "ControlAPI", "AgentClient", "AgentProtocol", "TarStream", "Aerie",
                "DiskImages",
                "HostSystem", "CLinux", "CSockets",
            ]),
        // Front
        .executableTarget(
            name: "AerieCommand",
            dependencies: [
                "AerieMachines", "MachineSession", "Runtime", "Jail", "ControlAPI", "Compose", "AgentClient",
                "AgentProtocol", "Aerie", "CSockets", "HostSockets", "GuestImages", "KVMEngine", "DiskImages",
                "HostSystem",
                "TextTables",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings,
            // Nothing to find and to relocate at start, and no Swift on the host. lld because the other linker warns of calls in Foundation. The
            // compiler names what the shared Foundation consists of only to whoever compiles for the static one.
            linkerSettings: [
                .unsafeFlags(["-static-executable", "-use-ld=lld"]),
                .linkedLibrary("CoreFoundation"), .linkedLibrary("_FoundationICU"), .linkedLibrary("_FoundationCShims"),
                .linkedLibrary("_FoundationCollections"),
            ]),
        // The process of one machine: without Foundation, so that it starts at once and stays small.
        .executableTarget(
            name: "AerieVM",
            dependencies: ["MachineSession", "Runtime", "Jail", "ControlAPI", "Aerie", "HostSystem"],
            swiftSettings: settings,
            // Nothing to find and to relocate at start: less than half of the time and the memory.
            linkerSettings: [.unsafeFlags(["-static-executable", "-Xlinker", "--icf=safe"])]),

        // What `make bench` runs: guest programs here and on peers.
        .executableTarget(
            name: "Benchmarks",
            dependencies: [
                "GuestToolchain", "TextTables", "CJail",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Benchmarks", exclude: ["Guests"], swiftSettings: settings),

        .target(
            name: "TestSupport", dependencies: ["HostSystem"], path: "Tests/TestSupport", swiftSettings: settings),
        tests(
            "GroundTests",
            ["TextTables", "GuestToolchain", "HostSystem", "SavedState", "SnapshotArchive", "GuestMemory", "Machine"]),
        // The host's floating-point unit, for comparison.
        .target(name: "CFloatReference", path: "Tests/CFloatReference", linkerSettings: [.linkedLibrary("m")]),
        tests(
            "TranslationRuntimeTests",
            ["TranslationRuntime", "HostX86_64", "Translator", "TestSupport", "GuestMemory", "HostSystem"]),
        tests("HostX86_64Tests", ["HostX86_64", "Translator", "GuestToolchain", "HostSystem"]),
        .target(name: "CChildProgram", path: "Tests/CChildProgram"),
        .target(
            name: "GuestToolchain", dependencies: ["CChildProgram"], path: "Tests/GuestToolchain", exclude: ["Guests"],
            swiftSettings: settings),
        tests(
            "RISCVTests",
            [
                "RISCV", "TranslationRuntime", "HostX86_64", "Translator", "GuestToolchain", "TestSupport",
                "CFloatReference", "PlatformDevices", "Machine", "GuestMemory", "SavedState", "HostSystem",
            ]),
        tests(
            "KVMEngineTests",
            ["KVMEngine", "CKVM", "GuestToolchain", "Machine", "GuestMemory", "SavedState", "HostSystem"]),
        tests(
            "PlatformDevicesTests",
            ["PlatformDevices", "PCI", "TestSupport", "Machine", "GuestMemory", "SavedState", "HostSystem"]),
        tests("HostNetworkTests", ["HostNetwork", "GuestToolchain", "TestSupport", "HostSystem"]),
        tests("HostSocketsTests", ["HostSockets", "CSockets", "GuestToolchain", "TestSupport", "HostSystem"]),
        // Writes to a disk image until a test kills it.
        .executableTarget(
            name: "DiskWriter", dependencies: ["DiskImages", "TestSupport", "HostSystem"], path: "Tests/DiskWriter",
            swiftSettings: settings),
        tests(
            "DiskImagesTests",
            ["DiskImages", "DiskWriter", "GuestToolchain", "TestSupport", "SavedState", "HostSystem"]),
        tests(
            "VirtioTests",
            [
                "VirtioDevices", "Virtio", "PCI", "DiskImages", "HostNetwork", "HostSockets", "SharedFolders",
                "Machine", "GuestMemory", "SavedState", "TestSupport", "HostSystem",
            ]),
        tests(
            "SharedFoldersTests",
            ["SharedFolders", "GuestToolchain", "TestSupport", "SavedState", "HostSystem", "CRawCalls"]),
        tests("AgentProtocolTests", ["AgentProtocol", "AgentTestSupport"]),
        tests("TarStreamTests", ["TarStream"]),
        .target(
            name: "AgentTestSupport", dependencies: ["AgentProtocol"], path: "Tests/AgentTestSupport",
            swiftSettings: settings),
        tests(
            "GuestAgentTests",
            [
                "GuestAgentPrograms", "AgentProtocol", "TarStream", "AgentTestSupport", "GuestToolchain",
                "TestSupport",
            ]),
        tests("GuestBootTests", ["GuestBoot", "GuestToolchain", "TestSupport", "GuestMemory", "CZlib", "CZstd"]),
        tests("ComposeTests", ["Compose"]),
        tests("GuestImagesTests", ["GuestImages", "GuestToolchain", "HostSystem", "TestSupport"]),
        tests(
            "MachineTests",
            [
                "Aerie", "GuestBoot", "GuestMemory", "KVMEngine", "GuestToolchain", "TestSupport", "SavedState",
                "HostSystem", "RISCV", "VirtioDevices",
            ]),
        // A machine in a process that a test may kill, and many in one process.
        .target(name: "CAllocator", path: "Tests/CAllocator"),
        .executableTarget(
            name: "MachineHost", dependencies: ["MachineSession", "Aerie", "CAllocator", "HostSystem"],
            path: "Tests/MachineHost", swiftSettings: settings),
        tests(
            "CommandTests",
            [
                "AerieMachines", "AgentClient", "MachineSession", "Runtime", "ControlAPI", "Aerie",
                "AgentProtocol", "AgentTestSupport",
                "ScriptedAgent", "GuestAgentPrograms", "GuestToolchain", "TestSupport", "MachineHost", "CSockets",
                "HostSystem", "DiskImages",
            ],
            exclude: ["Guests"]),
        .target(
            name: "ScriptedAgent", dependencies: ["AgentProtocol", "AgentTestSupport", "CSockets"],
            path: "Tests/ScriptedAgent",
            swiftSettings: settings),
        tests(
            "AgentClientTests",
            [
                "AgentClient", "AgentProtocol", "TarStream", "ScriptedAgent", "TestSupport", "GuestToolchain",
                "CSockets", "HostSystem",
            ]),
        // A machine's process that somebody has taken over.
        .target(name: "CRawCalls", dependencies: ["CLinux"], path: "Tests/CRawCalls"),
        .executableTarget(
            name: "JailBreaker", dependencies: ["Jail", "CJail", "CRawCalls", "HostSystem"], path: "Tests/JailBreaker",
            swiftSettings: settings),
        tests("JailTests", ["Jail", "CJail", "JailBreaker", "GuestToolchain", "HostNetwork", "HostSystem"]),
        tests("ArchitectureTests", []),
        // Builds hypervisor/ and runs it on QEMU.
        tests("HypervisorTests", ["GuestToolchain", "TestSupport", "CSockets"], exclude: ["Guests"]),

        // Entries for fuzzers, the inputs that are kept, and the program that `make fuzz` links with libFuzzer.
        .target(
            name: "FuzzTargets",
            dependencies: [
                "AgentClient", "AgentProtocol", "AgentTestSupport", "TarStream", "GuestBoot", "MachineSession",
                "PlatformDevices", "PCI", "Virtio", "VirtioDevices", "HostNetwork", "HostSockets", "SharedFolders",
                "DiskImages", "SnapshotArchive", "Machine", "GuestMemory", "SavedState", "HostSystem",
            ],
            path: "Tests/FuzzTargets", exclude: ["Corpora"], swiftSettings: settings),
        .executableTarget(
            name: "CoverageFuzzer", dependencies: ["FuzzTargets", "HostSystem"], path: "Tests/CoverageFuzzer",
            swiftSettings: settings),
        tests("FuzzTests", ["FuzzTargets", "TestSupport"]),
    ],
    swiftLanguageModes: [.v6]
)
