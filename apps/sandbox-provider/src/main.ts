import 'reflect-metadata';
import { runSandbox } from '@valueverse/payments';

void runSandbox();
