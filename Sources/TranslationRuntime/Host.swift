package import HostX86_64
package import Translator

/// The host's back end: the one of the processor that this process runs on.
package typealias HostGenerator = Generator

/// The host, as front ends see it.
package enum TranslationHost {
    /// Whether code can be generated for this host's processor.
    package static var canTranslate: Bool { HostGenerator.canRunGeneratedCode }
    /// The operations of the IR that this host has beyond the ones that all hosts have.
    package static var operations: OptionalOperations { HostGenerator.operations }
}
