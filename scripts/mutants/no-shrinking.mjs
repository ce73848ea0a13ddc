import fc from 'fast-check';

/**
 * That a property fails is all there is to know about a mutant: its smallest counterexample would take minutes. A model
 * that a mutant keeps busy for ever counts as a failure.
 */
fc.configureGlobal({ endOnFailure: true, interruptAfterTimeLimit: 45_000, markInterruptAsFailure: true });
