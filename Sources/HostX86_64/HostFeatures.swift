internal import CLinux
package import Translator

/// Features of this host's processor beyond the base of x86-64.
package struct HostFeatures: OptionSet, Sendable {
    package let rawValue: Int32

    package init(rawValue: Int32) { self.rawValue = rawValue }

    /// SHLX, SHRX, SARX, RORX, MULX.
    package static let bmi2 = HostFeatures(rawValue: 1)
    /// Fused multiply-add, with the operating system's support for AVX state.
    package static let fma = HostFeatures(rawValue: 2)
    package static let populationCount = HostFeatures(rawValue: 4)
    /// LZCNT and TZCNT (ABM and BMI1).
    package static let zeroCounts = HostFeatures(rawValue: 8)

    /// Whether this process can execute x86-64 code at all.
    package static var canRunGeneratedCode: Bool {
        #if arch(x86_64)
            true
        #else
            false
        #endif
    }

    /// Asks the processor.
    package static let detected = HostFeatures(rawValue: aerie_host_features())

    /// The operations of the IR that these features make possible.
    package var operations: OptionalOperations {
        var operations: OptionalOperations = []
        if contains(.populationCount) { operations.insert(.populationCount) }
        if contains(.zeroCounts) { operations.insert(.zeroCounts) }
        return operations
    }
}
