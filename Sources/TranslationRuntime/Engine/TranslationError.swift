/// The host cannot run the translator.
package struct TranslationError: Error, CustomStringConvertible {
    package let description: String
}
