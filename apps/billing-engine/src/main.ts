import 'reflect-metadata';
import { runService } from '@valueverse/hosting';

void runService('billing');
