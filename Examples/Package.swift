// swift-tools-version: 6.2
import PackageDescription

// Programs that use the library as any other package does: `make examples` in the directory above builds and runs them.
let settings: [SwiftSetting] = [.treatAllWarnings(as: .error)]

/// Machines in processes of their own need the program `aerie-vm`, which is built beside the example.
let machines: [Target.Dependency] = [
    .product(name: "AerieMachines", package: "aerie"), .product(name: "aerie-vm", package: "aerie"),
]

let package = Package(
    name: "aerie-examples",
    dependencies: [.package(name: "aerie", path: "..")],
    targets: [
        .executableTarget(
            name: "BootKernel", dependencies: [.product(name: "Aerie", package: "aerie")], swiftSettings: settings),
        .executableTarget(name: "MachineFleet", dependencies: machines, swiftSettings: settings),
        .executableTarget(name: "PythonSandbox", dependencies: machines, swiftSettings: settings),
    ],
    swiftLanguageModes: [.v6]
)
